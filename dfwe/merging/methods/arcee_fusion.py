"""Merge by taking over the outliers among the changes alone: Arcee Fusion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dfwe.merging.base import AnyShape, MergeMethod, MethodProperties, TensorGroup, check_simplex, weighted_sum
from dfwe.values.allowed import NonNegative


@dataclass(frozen=True)
class ArceeFusion(MergeMethod):
    """theta_p = theta'_p where s_p is at least median(s) + fence IQR(s), else theta_0p.

    In each tensor: s_p = |theta'_p - theta_0p| KL(softmax(theta'_r) || softmax(theta_0r)), r the row that p is in (the
    last dimension). Quantiles of n values are the value number floor(q (n - 1)) in their order, from 0.

    Arcee Fusion (Arcee AI, 2025; mergekit) was published as an importance of the absolute difference and a divergence
    of softmaxes, and the fence above; that the divergence is a row's, which way it goes and which quantiles these are
    was seen by merging with mergekit 0.1.5.

    Departure: there is one other model there; here theta' is the weighted mixture of experts.
    """

    fence: NonNegative  # how many interquartile ranges above the median the outliers begin

    properties = MethodProperties(needs_parent=True, merge_time_settings=("fence",), hides_bad_values=True)

    def merge_tensor(self, group: TensorGroup, *, coefficients: Sequence[float], state: Any) -> AnyShape:
        """Take over the outliers of a whole tensor; MergeError off the simplex."""
        check_simplex(coefficients, method=self)
        mixture, parent = weighted_sum(group.experts, coefficients), group.parent
        if not parent.numel():
            return mixture
        scores = _scores(mixture, parent)
        return torch.where(scores >= self._threshold(scores), mixture, parent)

    def _threshold(self, scores: Tensor) -> Tensor:
        first, median, third = (_quantile(scores, number) for number in (1, 2, 3))
        return median + self.fence * (third - first)


def _scores(other: Tensor, parent: Tensor) -> Tensor:
    """Return each value's importance."""
    log_other, log_parent = other.log_softmax(-1), parent.log_softmax(-1)
    divergence = (log_other.exp() * (log_other - log_parent)).sum(-1, keepdim=True) if other.ndim else other * 0
    return (other - parent).abs_() * divergence


def _quantile(values: Tensor, number: int) -> Tensor:
    """Return that quartile."""
    flat = values.flatten()
    return flat.kthvalue(1 + number * (flat.numel() - 1) // 4).values
