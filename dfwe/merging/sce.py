"""SCE (Wan et al., 2024, FuseChat, arXiv:2408.07990): select by variance, calculate weights, erase minorities."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dfwe.errors import MergeError
from dfwe.merging.base import Piece, Rule, Traits, on_simplex, weighted_sum
from dfwe.merging.driver import blocks
from dfwe.merging.recipe_rule import TaskVectorRule, equal_unless_given, take
from dfwe.values.allowed import NonNegative, PositiveShare


@dataclass(frozen=True)
class Found:
    """What a tensor's merge needs to know of the whole of it."""

    threshold: float  # the least variance that is selected
    energies: tuple[float, ...]  # each expert's mean square of what is selected


@dataclass(frozen=True)
class Sce(Rule, TaskVectorRule):
    """theta_p = theta_0p + sum_{i in A_p} w_i t_ip / sum_{i in A_p} w_i, w_i = alpha_i E_i / sum_j alpha_j E_j.

    In each tensor: t_i is the task vector theta_i - theta_0 with all but the `select_topk` share of values whose
    variance between the experts is largest (of those with any) set to zero; E_i is the mean of its squares; A_p are
    the experts whose t_ip has the sign of sum_i alpha_i t_ip, positive if that is 0.

    Departures: the paper has no coefficients; here they weigh the election and the energies, the selection is the
    experts' alone. Equal ones give the paper's. Values that tie with the last one selected are selected, too.
    Energies that add up to less than `least_energy` count as equal: 0 is the paper's; mergekit 0.1.5 has 1e-6, which
    is more than most fine-tuned models' task vectors have. `select_topk` of 1 selects all values.
    """

    select_topk: PositiveShare  # in (0, 1]
    least_energy: NonNegative

    @property
    def traits(self) -> Traits:
        """Selection makes a vertex another model than its expert."""
        return Traits(parent=True, elementwise=True, vertices=self.select_topk == 1, late=("least_energy",))

    def check(self, num_experts: int) -> None:
        """MergeError for a share outside (0, 1] or a negative energy."""
        if not 0 < self.select_topk <= 1:
            raise MergeError(f"sce: select_topk must be in (0, 1], not {self.select_topk}")
        if not self.least_energy >= 0:
            raise MergeError(f"sce: least_energy must be at least 0, not {self.least_energy}")

    def examine(self, piece: Piece, *, survey: Any) -> Found:
        """The selection's threshold and the experts' energies."""
        threshold = self._threshold(piece)
        total = [0.0] * len(piece.experts)
        for _, part in blocks(piece):
            vectors = _vectors(part)
            selected = _selected(vectors, threshold=threshold)
            for place, vector in enumerate(vectors):
                total[place] += float((vector * selected).square_().sum(dtype=torch.float64))
        return Found(threshold, tuple(energy / max(1, piece.base.numel()) for energy in total))

    def tensor(self, piece: Piece, *, coefficients: Sequence[float], found: Found) -> Float[Tensor, "*shape"]:
        """Election and weighted mean of one tensor or block; MergeError beside the simplex."""
        on_simplex(coefficients, rule="sce")
        vectors, largest = _vectors(piece), max(coefficients)
        # relative to the largest, so that equal coefficients elect exactly as without
        votes = weighted_sum(vectors, [coefficient / largest for coefficient in coefficients])
        sign = votes.ge_(0).mul_(2).sub_(1)
        mean, total = torch.zeros_like(piece.base), torch.zeros_like(piece.base)
        weights = self._weights(coefficients, energies=found.energies)
        selected = _selected(vectors, threshold=found.threshold)
        for vector, weight in zip(vectors, weights, strict=True):
            agreed = vector.mul_(sign).clamp_(min=0)
            mean.add_(agreed, alpha=weight)
            total.add_(agreed.sign_(), alpha=weight)
        return mean.div_(total.clamp_(min=1e-12)).mul_(sign).mul_(selected).add_(piece.base)

    def _threshold(self, piece: Piece) -> float:
        if self.select_topk >= 1:
            return 0.0
        variances = [_variance(_vectors(part)) for _, part in blocks(piece)]
        variance = torch.cat(variances) if variances else torch.zeros(0)
        kept = int(int(variance.count_nonzero()) * self.select_topk)
        if kept == 0:
            return math.inf
        return float(variance.kthvalue(variance.numel() - kept + 1).values)

    def _weights(self, coefficients: Sequence[float], *, energies: Sequence[float]) -> list[float]:
        counted = energies if sum(energies) >= self.least_energy else (1.0,) * len(energies)
        weights = [coefficient * energy for coefficient, energy in zip(coefficients, counted, strict=True)]
        total = sum(weights)
        return [weight / total for weight in weights] if total else weights

    @classmethod
    def from_recipe(
        cls, weights: Sequence[float | None], parameters: Mapping[str, Any]
    ) -> tuple[Sce, tuple[float, ...]]:
        """See RecipeRule; mergekit's has no weights, here they are taken where a recipe gives them."""
        settings = take(parameters, known={"select_topk": 1.0, "int8_mask": False}, rule="sce")
        coefficients = equal_unless_given(weights, rule="sce")
        return cls(select_topk=settings["select_topk"], least_energy=1e-6), coefficients  # int8_mask: memory only


def _vectors(piece: Piece) -> list[Tensor]:
    return [expert - piece.base for expert in piece.experts]


def _variance(vectors: Sequence[Float[Tensor, "*shape"]]) -> Float[Tensor, "*shape"]:
    """In steps that round a value alike wherever it stands: the threshold is found in other blocks than it is used."""
    mean = weighted_sum(vectors, [1.0] * len(vectors)).div_(len(vectors))
    total = torch.zeros_like(mean)
    for vector in vectors:
        total.add_((vector - mean).square_())
    return total.div_(len(vectors))


def _selected(vectors: Sequence[Float[Tensor, "*shape"]], *, threshold: float) -> Tensor:
    """1 where the variance is large enough, else 0."""
    return torch.ones_like(vectors[0]) if threshold == 0.0 else (_variance(vectors) >= threshold).to(vectors[0])
