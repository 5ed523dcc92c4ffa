"""Merge sparse task vectors: by a weighted sum, or by the sign election of TIES."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from dfwe.merging.base import MergeMethod, MethodProperties, TensorGroup, weighted_sum
from dfwe.merging.methods.sparse.sparsify import Mask, task_vectors
from dfwe.values.allowed import PositiveShare

Aggregate = Literal["mean", "sum", "max"]


class SparseSum(MergeMethod):
    """theta = theta_0 + scale * sum_i alpha_i m_i (theta_i - theta_0), with masks m_i from `prepare_tensor`."""

    density: PositiveShare  # share of entries kept, in (0, 1]
    scale: float

    @property
    def properties(self) -> MethodProperties:
        """Properties: if nothing is dropped it is task arithmetic; masks are kept, so that it is one function."""
        return MethodProperties(
            needs_parent=True,
            is_elementwise=True,
            is_linear=True,
            recovers_experts=self.density == self.scale == 1.0,
            merge_time_settings=("scale",),
        )

    def merge_tensor(
        self, group: TensorGroup, *, coefficients: Sequence[float], state: Sequence[Mask]
    ) -> Float[Tensor, "*shape"]:
        """Add the sum of one block's sparse task vectors to the parent."""
        weights = [self.scale * coefficient for coefficient in coefficients]
        return weighted_sum(_sparse_vectors(group, masks=state), weights).add_(group.parent)


class SparseElection(MergeMethod):
    """theta = theta_0 + scale * tau; tau merges m_i (theta_i - theta_0) by `elect_signs`, masks as in SparseSum."""

    density: PositiveShare  # share of entries kept, in (0, 1]
    scale: float
    aggregate: Aggregate

    @property
    def properties(self) -> MethodProperties:
        """Properties: masks change experts, and so do sum and max, which weigh with n alpha_i."""
        return MethodProperties(
            needs_parent=True,
            is_elementwise=True,
            recovers_experts=self.density == self.scale == 1.0 and self.aggregate == "mean",
            merge_time_settings=("scale",),
        )

    def merge_tensor(
        self, group: TensorGroup, *, coefficients: Sequence[float], state: Sequence[Mask]
    ) -> Float[Tensor, "*shape"]:
        """Merge one block's sparse task vectors by election and add them to the parent."""
        vectors = _sparse_vectors(group, masks=state)
        merged = elect_signs(vectors, coefficients=coefficients, aggregate=self.aggregate)
        return merged.mul_(self.scale).add_(group.parent)


def elect_signs(
    vectors: Sequence[Float[Tensor, "*shape"]], *, coefficients: Sequence[float], aggregate: Aggregate
) -> Float[Tensor, "*shape"]:
    """Merge the vectors, entry by entry, from those experts that agree with the elected sign.

    Sign election and disjoint merge of TIES (Yadav et al., 2023, arXiv:2306.01708). The sign of sum_i alpha_i t_i is
    elected, + where that is 0; A are the experts whose alpha_i t_i has it.
    mean: sum_A alpha_i t_i / sum_A alpha_i. sum: sum_A n alpha_i t_i. max: n alpha_i t_i of the largest size in A.
    """
    weights = torch.tensor(coefficients, dtype=vectors[0].dtype, device=vectors[0].device)
    weights = weights.view(-1, *[1] * vectors[0].dim())
    weighted = torch.stack(list(vectors)).mul_(weights)
    sign = torch.where(weighted.sum(0) < 0, -1.0, 1.0)
    sizes = weighted.mul_(sign).clamp_(min=0)  # of what agrees
    if aggregate == "max":
        return sizes.amax(0).mul_(len(vectors)).mul_(sign)
    if aggregate == "sum":
        return sizes.sum(0).mul_(len(vectors)).mul_(sign)
    total = sizes.sum(0)
    share = torch.tensordot(weights.view(-1), sizes.sign_(), dims=1)
    return total.div_(share.masked_fill_(share == 0, 1.0)).mul_(sign)


def _sparse_vectors(group: TensorGroup, *, masks: Sequence[Mask]) -> list[Float[Tensor, "*shape"]]:
    return [mask.apply(vector, begin=group.begin) for mask, vector in zip(masks, task_vectors(group), strict=True)]
