"""Merge task vectors with equal singular values: Iso-C and Iso-CTS (Marczak et al., 2025, arXiv:2502.04959)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dfwe.merging.base import MergeMethod, MethodProperties, TensorGroup, check_simplex, weighted_sum
from dfwe.merging.methods.spectral.decomposition import (
    Decomposition,
    average,
    decompose,
    is_matrix,
    isotropic,
    orthogonal,
)
from dfwe.values.allowed import Pattern, Share


@dataclass(frozen=True)
class IsoC(MergeMethod):
    """theta = theta_0 + scale * mean(S) U V^T for each matrix, a weighted mean for all else.

    Isotropic merging in the common subspace. U S V^T is the singular value decomposition of
    sum_i n alpha_i (theta_i - theta_0): the sum of task vectors, all its singular values replaced by their mean.

    Variant: FusionBench 0.2.33 and the authors' code, which take every tensor of two dimensions for a matrix,
    embeddings and position biases too. `averaged`, a regular expression, names some that are averaged instead.

    Departure: the paper has no coefficients; equal ones give its sum. Directions in which no expert differs from the
    parent stay the parent's (an SVD returns arbitrary ones, to which the mean would be given).
    """

    scale: float  # the paper's alpha
    averaged: Pattern | None

    # the decomposition is that of the weighted sum: one per candidate
    properties = MethodProperties(needs_parent=True, merge_time_settings=("scale", "averaged"))

    def merge_tensor(self, group: TensorGroup, *, coefficients: Sequence[float], state: Any) -> Float[Tensor, "*shape"]:
        """Merge one tensor."""
        if not is_matrix(group, averaged=self.averaged):
            return average(group, coefficients=coefficients, scale=self.scale)
        # the difference first: as one sum with the parent, a small one would be lost in rounding
        mean = (group.experts[0] - group.parent) * coefficients[0]
        for expert, coefficient in zip(group.experts[1:], coefficients[1:], strict=True):
            mean.add_(expert - group.parent, alpha=coefficient)
        return isotropic(mean).mul_(self.scale * len(coefficients)).add_(group.parent)


@dataclass(frozen=True)
class IsoCts(MergeMethod):
    """theta = theta_0 + scale * mean(S) U' V'^T for each matrix, a weighted mean for all else.

    Isotropic merging in common and task-specific subspaces. Of r directions (the smaller side of the matrix), k are the
    first singular directions of the sum of task vectors sum_i n alpha_i t_i, t_i = theta_i - theta_0; the other r - k
    are divided among the experts, of each the first directions of t_i - U_k U_k^T t_i. S holds the singular values of
    all of them, U' is the orthogonal matrix nearest to all left singular vectors side by side, V' likewise.

    Variant: FusionBench 0.2.33 and the authors' code. r - k is the multiple of n nearest to r - floor(common * r)
    (halves to the even multiple), and every tensor of two dimensions is a matrix, embeddings and position biases too.
    `averaged`, a regular expression, names some that are averaged instead.

    Departure: the paper has no coefficients. Here n alpha_i also scales the singular values of expert i's directions,
    of which it gets the share alpha_i of the r - k (largest remainders, the earlier expert first). Directions in
    which no expert differs from the parent stay the parent's (an SVD returns arbitrary ones).
    """

    scale: float  # the paper's alpha
    common: Share  # share of directions that are common, in [0, 1]; 1 is Iso-C
    averaged: Pattern | None

    # all decompositions are those of weighted sums, or of their remainders: n + 1 per candidate
    properties = MethodProperties(needs_parent=True, merge_time_settings=("scale", "common", "averaged"))

    def merge_tensor(self, group: TensorGroup, *, coefficients: Sequence[float], state: Any) -> Float[Tensor, "*shape"]:
        """Merge one tensor; MergeError for coefficients off the simplex."""
        check_simplex(coefficients, method=self)
        if not is_matrix(group, averaged=self.averaged):
            return average(group, coefficients=coefficients, scale=self.scale)
        parts = self._directions(group, weights=[len(coefficients) * coefficient for coefficient in coefficients])
        values = torch.cat([part.values for part in parts])
        left = orthogonal(torch.cat([part.left for part in parts], 1))
        right = orthogonal(torch.cat([part.right for part in parts], 1))
        return group.parent + (left @ right.T).mul_(values.mean() * self.scale).to(group.parent)

    def _directions(self, group: TensorGroup, *, weights: Sequence[float]) -> list[Decomposition]:
        """Return the common directions, and those of each expert that has any."""
        vectors = [(expert - group.parent).double() for expert in group.experts]
        total, num_specific = min(group.parent.shape), self._num_specific(group)
        common = decompose(weighted_sum(vectors, weights), rank=total - num_specific)
        parts = [common]
        ranks = divide_by_weights(num_specific, weights=weights)
        for vector, weight, rank in zip(vectors, weights, ranks, strict=True):
            if rank:
                rest = vector - common.left @ (common.left.T @ vector)
                specific = decompose(rest, rank=rank)
                parts.append(Decomposition(specific.left, specific.values * weight, specific.right))
        return parts

    def _num_specific(self, group: TensorGroup) -> int:
        total, number = min(group.parent.shape), len(group.experts)
        specific = round((total - int(total * self.common)) / number) * number
        return specific if specific <= total else specific - number


def divide_by_weights(number: int, *, weights: Sequence[float]) -> list[int]:
    """Divide the number into whole parts by weights, which are at least 0: largest remainders, the earlier first."""
    exact = [number * weight / sum(weights) for weight in weights]
    parts = [int(part + 1e-6) for part in exact]  # 1/3 of 9 is 3, however it is rounded
    by_remainder = sorted(range(len(parts)), key=lambda position: parts[position] - exact[position])
    for position in by_remainder[: number - sum(parts)]:
        parts[position] += 1
    return parts
