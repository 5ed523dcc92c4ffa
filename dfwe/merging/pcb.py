"""PCB-Merging (Du et al., 2024, arXiv:2410.02396): parameters compete within their task and between tasks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor

from dfwe.errors import MergeError
from dfwe.merging.base import Piece, Rule, Traits
from dfwe.merging.ranks import nth_smallest
from dfwe.merging.recipe_rule import TaskVectorRule, equal_unless_given, take
from dfwe.merging.sparsify import share_of_entries, task_vectors
from dfwe.values.allowed import PositiveShare, Within


@dataclass(frozen=True)
class Bounds:
    """Of one expert: the least and the largest of its entries' sizes without outliers, and of its scores that count."""

    sizes: tuple[float, float]
    scores: tuple[float, float]


@dataclass(frozen=True)
class Pcb(Rule, TaskVectorRule):
    """theta = theta_0 + scale * sum_i b_i (n alpha_i) t_i / sum_i b_i, entry by entry.

    t_i are the n task vectors, their sizes clamped to the range without the `outliers` share at either end. The score
    of an entry is exp(n u_i^2) * tanh(tau_i sum_j tau_j): u_i is |t_i| moved to [0, 1], the competition within the
    task; the second factor that between tasks, of task vectors as they are. b_i is 0 but for the `density` entries of
    the highest scores, whose scores are moved to [0, 1]; 0 / 0 is 0. All ranks are those of whole task vectors.

    This is what the authors' program computes. The paper's text has softmaxes: softmax(n norm(tau_i^2)) within, and
    sum_j softmax(norm(tau_i tau_j)) between tasks. n alpha_i are the lambda_i that the paper searches.
    """

    density: PositiveShare  # share of entries kept, in (0, 1]: the paper's mask ratio r
    outliers: Annotated[float, Within(at_least=0, below=0.5)]  # share of entries clamped at either end, in [0, 0.5)
    scale: float  # the paper's lambda

    @property
    def traits(self) -> Traits:
        """The denominator is that of all experts, so that a vertex is another model than its expert."""
        return Traits(parent=True, elementwise=True, linear=True, late=("scale",))

    def check(self, num_experts: int) -> None:
        """MergeError for a density outside (0, 1], or outliers outside [0, 0.5)."""
        share_of_entries(self.density, rule="pcb")
        if not 0 <= self.outliers < 0.5:
            raise MergeError(f"pcb: outliers must be in [0, 0.5), not {self.outliers:g}")

    def survey(self, pieces: Iterable[Piece]) -> tuple[Bounds, ...]:
        """Each expert's bounds: of the sizes first, which the scores need."""
        sizes = nth_smallest(
            pieces, values=lambda piece: (each.abs_() for each in task_vectors(piece)), ranks=self._inliers
        )
        scores = nth_smallest(
            pieces,
            values=lambda piece: (score for _, score in _scored(piece, [(low, high) for low, high in sizes])),
            ranks=lambda size: (1 + min(size - 1, int(size * (1 - self.density))), size),
        )
        return tuple(
            Bounds((low, high), (least, most)) for (low, high), (least, most) in zip(sizes, scores, strict=True)
        )

    def tensor(
        self, piece: Piece, *, coefficients: Sequence[float], found: tuple[Bounds, ...]
    ) -> Float[Tensor, "*shape"]:
        """The balanced sum of one block."""
        merged, total = torch.zeros_like(piece.base), torch.zeros_like(piece.base)
        experts = zip(coefficients, found, _scored(piece, [each.sizes for each in found]), strict=True)
        for coefficient, bounds, (vector, score) in experts:
            balance = _unit(score, bounds.scores)
            merged.addcmul_(vector, balance, value=len(coefficients) * coefficient)
            total.add_(balance)
        return merged.div_(total.clamp_(min=1e-12)).mul_(self.scale).add_(piece.base)

    def _inliers(self, size: int) -> tuple[int, int]:
        low = 1 + int(size * self.outliers)
        return low, max(low, int(size * (1 - self.outliers)))

    @classmethod
    def from_recipe(
        cls, weights: Sequence[float | None], parameters: Mapping[str, Any]
    ) -> tuple[Pcb, tuple[float, ...]]:
        """See RecipeRule; mergekit has no such method, and all weights may be left out."""
        settings = take(parameters, known={"density": 0.1, "outliers": 0.0001, "scale": 1.0}, rule="pcb")
        return cls(**settings), equal_unless_given(weights, rule="pcb")


def _scored(
    piece: Piece, sizes: Sequence[tuple[float, float]]
) -> Iterator[tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]]:
    """Each expert's clamped task vector and its scores."""
    total = torch.zeros_like(piece.base)
    for vector in task_vectors(piece):
        total.add_(vector)
    for vector, (low, high) in zip(task_vectors(piece), sizes, strict=True):
        between = torch.tanh(vector * total)
        size = vector.abs().clamp_(low, high)
        within = _unit(size, (low, high)).square_().mul_(len(sizes)).exp_()
        yield size.mul_(vector.sign()), within.mul_(between)


def _unit(values: Float[Tensor, "*shape"], bounds: tuple[float, float]) -> Float[Tensor, "*shape"]:
    """The values moved so that the bounds become 0 and 1, and clamped to them."""
    low, high = bounds
    return values.sub(low).div_((high - low) or 1.0).clamp_(0.0, 1.0)
