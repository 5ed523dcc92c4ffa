"""Merge by PCB-Merging (Du et al., 2024, arXiv:2410.02396): parameters compete within and between tasks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import torch

from dfwe.merging.base import AnyShape, MergeMethod, MethodProperties, TensorGroup
from dfwe.merging.methods.ranks import nth_smallest
from dfwe.values.allowed import PositiveShare, Within


@dataclass(frozen=True)
class Bounds:
    """Bound one expert's entries: the least and largest of sizes without outliers, and of scores that count."""

    sizes: tuple[float, float]
    scores: tuple[float, float]


@dataclass(frozen=True)
class Pcb(MergeMethod):
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

    # the denominator is that of all experts, so that experts are not recovered
    properties = MethodProperties(
        needs_parent=True, is_elementwise=True, is_linear=True, merge_time_settings=("scale",)
    )

    def prepare_model(self, groups: Iterable[TensorGroup]) -> tuple[Bounds, ...]:
        """Compute each expert's bounds: of the sizes first, which the scores need."""
        sizes = nth_smallest(
            groups, values=lambda group: (vector.abs_() for vector in group.task_vectors()), ranks=self._inliers
        )
        scores = nth_smallest(
            groups,
            values=lambda group: (score for _, score in _scored(group, [(low, high) for low, high in sizes])),
            ranks=lambda size: (1 + min(size - 1, int(size * (1 - self.density))), size),
        )
        return tuple(
            Bounds((low, high), (least, most)) for (low, high), (least, most) in zip(sizes, scores, strict=True)
        )

    def merge_tensor(self, group: TensorGroup, *, coefficients: Sequence[float], state: tuple[Bounds, ...]) -> AnyShape:
        """Return the balanced sum of one block."""
        merged, total = torch.zeros_like(group.parent), torch.zeros_like(group.parent)
        scored = _scored(group, [bounds.sizes for bounds in state])
        for coefficient, bounds, (vector, score) in zip(coefficients, state, scored, strict=True):
            balance = _to_unit(score, bounds.scores)
            merged.addcmul_(vector, balance, value=len(coefficients) * coefficient)
            total.add_(balance)
        return merged.div_(total.clamp_(min=1e-12)).mul_(self.scale).add_(group.parent)

    def _inliers(self, size: int) -> tuple[int, int]:
        low = 1 + int(size * self.outliers)
        return low, max(low, int(size * (1 - self.outliers)))


def _scored(group: TensorGroup, sizes: Sequence[tuple[float, float]]) -> Iterator[tuple[AnyShape, AnyShape]]:
    """Yield each expert's clamped task vector and its scores."""
    total = torch.zeros_like(group.parent)
    for vector in group.task_vectors():
        total.add_(vector)
    for vector, (low, high) in zip(group.task_vectors(), sizes, strict=True):
        between = torch.tanh(vector * total)
        size = vector.abs().clamp_(low, high)
        within = _to_unit(size, (low, high)).square_().mul_(len(sizes)).exp_()
        yield size.mul_(vector.sign()), within.mul_(between)


def _to_unit(values: AnyShape, bounds: tuple[float, float]) -> AnyShape:
    """Return the values moved so that the bounds become 0 and 1, and clamped to them."""
    low, high = bounds
    return values.sub(low).div_((high - low) or 1.0).clamp_(0.0, 1.0)
