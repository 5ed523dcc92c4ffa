"""Merge by SCE (Wan et al., 2024, FuseChat, arXiv:2408.07990): select, calculate weights, erase minorities."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dfwe.merging.base import (
    AnyShape,
    MergeMethod,
    MethodProperties,
    RecipeFormat,
    TensorGroup,
    check_simplex,
    weighted_sum,
)
from dfwe.merging.engine import blocks
from dfwe.values.allowed import NonNegative, PositiveShare


@dataclass(frozen=True)
class SceState:
    """Hold what a tensor's merge needs to know of the whole tensor."""

    threshold: float  # the least variance that is selected
    energies: tuple[float, ...]  # each expert's mean square of what is selected


@dataclass(frozen=True)
class Sce(MergeMethod):
    """theta_p = theta_0p + sum_{i in A_p} w_i t_ip / sum_{i in A_p} w_i, w_i = alpha_i E_i / sum_j alpha_j E_j.

    In each tensor: t_i is the task vector theta_i - theta_0 with all but the `select_topk` share of values whose
    variance between the experts is largest (of those with any) set to zero; E_i is the mean of its squares; A_p are
    the experts whose t_ip has the sign of sum_i alpha_i t_ip, positive if that is 0.

    Departures: the paper has no coefficients; here they weigh the election and the energies, the selection is the
    experts' alone. Equal ones give the paper's. Values that tie with the last one selected are selected, too.
    Energies that add up to less than `least_energy` count as equal: 0 is the paper's; mergekit 0.1.5 has 1e-6, which
    is more than most fine-tuned models' task vectors have. `select_topk` of 1 selects all values.
    """

    select_topk: PositiveShare
    least_energy: NonNegative

    recipe = RecipeFormat(defaults={"select_topk": 1.0, "least_energy": 1e-6})

    @property
    def properties(self) -> MethodProperties:
        """Properties: experts are recovered only if all values are selected."""
        return MethodProperties(
            needs_parent=True,
            is_elementwise=True,
            recovers_experts=self.select_topk == 1,
            merge_time_settings=("least_energy",),
        )

    def prepare_tensor(self, group: TensorGroup, *, state: Any) -> SceState:
        """Compute the selection's threshold and the experts' energies."""
        threshold = self._threshold(group)
        totals = [0.0] * len(group.experts)
        for block in blocks(group):
            vectors = list(block.task_vectors())
            mask = _mask(vectors, threshold=threshold)
            for position, vector in enumerate(vectors):
                totals[position] += float((vector * mask).square_().sum(dtype=torch.float64))
        return SceState(threshold, tuple(total / max(1, group.parent.numel()) for total in totals))

    def merge_tensor(self, group: TensorGroup, *, coefficients: Sequence[float], state: SceState) -> AnyShape:
        """Merge one tensor or block by election and weighted mean; MergeError off the simplex."""
        check_simplex(coefficients, method=self)
        vectors, largest = list(group.task_vectors()), max(coefficients)
        # relative to the largest, so that equal coefficients elect exactly as without
        votes = weighted_sum(vectors, [coefficient / largest for coefficient in coefficients])
        sign = votes.ge_(0).mul_(2).sub_(1)
        mean, total = torch.zeros_like(group.parent), torch.zeros_like(group.parent)
        weights = self._weights(coefficients, energies=state.energies)
        mask = _mask(vectors, threshold=state.threshold)
        for vector, weight in zip(vectors, weights, strict=True):
            agreed = vector.mul_(sign).clamp_(min=0)
            mean.add_(agreed, alpha=weight)
            total.add_(agreed.sign_(), alpha=weight)
        return mean.div_(total.clamp_(min=1e-12)).mul_(sign).mul_(mask).add_(group.parent)

    def _threshold(self, group: TensorGroup) -> float:
        if self.select_topk >= 1:
            return 0.0
        variances = [_variance(list(block.task_vectors())) for block in blocks(group)]
        variance = torch.cat(variances) if variances else torch.zeros(0)
        num_selected = int(int(variance.count_nonzero()) * self.select_topk)
        if num_selected == 0:
            return math.inf
        return float(variance.kthvalue(variance.numel() - num_selected + 1).values)

    def _weights(self, coefficients: Sequence[float], *, energies: Sequence[float]) -> list[float]:
        factors = energies if sum(energies) >= self.least_energy else (1.0,) * len(energies)
        weights = [coefficient * factor for coefficient, factor in zip(coefficients, factors, strict=True)]
        total = sum(weights)
        return [weight / total for weight in weights] if total else weights


def _variance(vectors: Sequence[AnyShape]) -> AnyShape:
    """Compute the variance in steps that round a value alike in every block: the threshold comes from other blocks."""
    mean = weighted_sum(vectors, [1.0] * len(vectors)).div_(len(vectors))
    total = torch.zeros_like(mean)
    for vector in vectors:
        total.add_((vector - mean).square_())
    return total.div_(len(vectors))


def _mask(vectors: Sequence[AnyShape], *, threshold: float) -> Tensor:
    """Return 1 where the variance is large enough, else 0."""
    return torch.ones_like(vectors[0]) if threshold == 0.0 else (_variance(vectors) >= threshold).to(vectors[0])
