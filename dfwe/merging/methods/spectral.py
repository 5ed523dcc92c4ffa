"""Merge matrices by their singular directions: Iso-C, Iso-CTS, TSV-Merge and WUDI-Merging.

Decompositions are in double precision whatever a matrix is. With T^T T = V S^2 V^T, the left singular vectors are
T V / S, which is faster than an SVD in single precision, most of all for long matrices, and exact enough for singular
values above DUST of the largest. Smaller ones are taken for zero, where an SVD returns arbitrary directions: experts
that changed only few rows of a matrix change no others when merged.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dfwe.merging.base import (
    AnyShape,
    MergeMethod,
    MethodProperties,
    TensorGroup,
    around_parent,
    check_simplex,
    weighted_sum,
)
from dfwe.values.allowed import Natural, Pattern, Positive, Share

DUST = 1e-7  # of the largest singular value: double precision resolves the square of that


@dataclass(frozen=True)
class IsoC(MergeMethod):
    """theta = theta_0 + scale * mean(S) U V^T for each matrix, a weighted mean for all else.

    Iso-C (Marczak et al., 2025, arXiv:2502.04959): isotropic merging in the common subspace. U S V^T is the singular
    value decomposition of sum_i n alpha_i (theta_i - theta_0): the sum of task vectors, all its singular values
    replaced by their mean.

    Variant: FusionBench 0.2.33 and the authors' code, which take every tensor of two dimensions for a matrix,
    embeddings and position biases too. `averaged`, a regular expression, names some that are averaged instead.

    Departure: the paper has no coefficients; equal ones give its sum. Directions in which no expert differs from the
    parent stay the parent's (an SVD returns arbitrary ones, to which the mean would be given).
    """

    scale: float  # the paper's alpha
    averaged: Pattern | None

    # the decomposition is that of the weighted sum: one per candidate
    properties = MethodProperties(needs_parent=True, merge_time_settings=("scale", "averaged"))

    def merge_tensor(self, group: TensorGroup, *, coefficients: Sequence[float], state: Any) -> AnyShape:
        """Merge one tensor."""
        if not is_matrix(group, averaged=self.averaged):
            return average(group, coefficients=coefficients, scale=self.scale)
        # the difference first: as one sum with the parent, a small one would be lost in rounding
        mean = weighted_sum(group.task_vectors(), coefficients)
        return isotropic(mean).mul_(self.scale * len(coefficients)).add_(group.parent)


@dataclass(frozen=True)
class IsoCts(MergeMethod):
    """theta = theta_0 + scale * mean(S) U' V'^T for each matrix, a weighted mean for all else.

    Iso-CTS (Marczak et al., 2025, arXiv:2502.04959): isotropic merging in common and task-specific subspaces.
    Of r directions (the smaller side of the matrix), k are the
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

    def merge_tensor(self, group: TensorGroup, *, coefficients: Sequence[float], state: Any) -> AnyShape:
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


@dataclass(frozen=True)
class TsvM(MergeMethod):
    """theta = theta_0 + scale * U' diag(n alpha_i S_i) V'^T for each matrix, a weighted mean for all else.

    TSV-Merge (Gargiulo et al., 2024, arXiv:2412.00081): orthogonalise the experts' singular directions.
    U_i S_i V_i^T are the first k = floor(r / n) singular directions of expert i's task vector, r the smaller side of
    the matrix and n the number of experts; U' is the orthogonal matrix nearest to [U_1 ... U_n], V' likewise.
    A matrix whose smaller side is less than n keeps no direction and stays the parent's.

    Variant: FusionBench 0.2.33 and the authors' code, which take every tensor of two dimensions for a matrix,
    embeddings and position biases too. `averaged`, a regular expression, names some that are averaged instead.

    Departure: the paper has no coefficients; n alpha_i scales expert i's singular values, so that equal ones give
    the paper's sum. Where experts share a direction exactly, U' has it once (an SVD fills in arbitrary ones).
    """

    scale: float  # the paper's alpha
    averaged: Pattern | None

    properties = MethodProperties(needs_parent=True, merge_time_settings=("scale",))

    def prepare_tensor(self, group: TensorGroup, *, state: Any) -> Decomposition | None:
        """Compute U', all S_i and V', a matrix of the tensor's shape and one of its smaller side; None if averaged."""
        if not is_matrix(group, averaged=self.averaged):
            return None
        rank = min(group.parent.shape) // len(group.experts)
        parts = [decompose(expert - group.parent, rank=rank) for expert in group.experts]
        return Decomposition(
            orthogonal(torch.cat([part.left for part in parts], 1)).to(group.parent),
            torch.cat([part.values for part in parts]).to(group.parent),
            orthogonal(torch.cat([part.right for part in parts], 1)).to(group.parent),
        )

    def merge_tensor(
        self, group: TensorGroup, *, coefficients: Sequence[float], state: Decomposition | None
    ) -> AnyShape:
        """Merge one tensor by one matrix product."""
        if state is None:
            return average(group, coefficients=coefficients, scale=self.scale)
        number = len(coefficients)
        weights = torch.tensor(coefficients).mul(self.scale * number).to(state.values)
        values = state.values * weights.repeat_interleave(len(state.values) // number)
        return torch.addmm(group.parent, state.left * values, state.right.T)


@dataclass(frozen=True)
class Wudi(MergeMethod):
    """theta = theta_0 + t for each matrix, where t makes sum_i n alpha_i ||(t - t_i) t_i^T||^2 / ||t_i||^2 small.

    WUDI-Merging (Cheng et al., 2025, arXiv:2503.08099): disturb the experts' layers least.
    t_i = theta_i - theta_0 is out x in: its rows stand for the layer's inputs. t starts as sum_i n alpha_i t_i and
    makes `steps` steps of Adam (betas 0.9 and 0.999); it is not followed to the minimum, so that the learning rate
    counts. The gradient is 2 (t A - B), A = sum_i n alpha_i t_i^T t_i / ||t_i||^2 and B the same sum of t_i t_i^T t_i:
    a step is one matrix product, however many experts. All other tensors are the weighted mean.

    Variant: the authors' code, in which embeddings (whose inputs are no vectors) and norms are averaged: `averaged`,
    a regular expression, names such matrices.

    Departure: the paper has no coefficients; here they weigh the losses and the start. Equal ones give the paper's.
    """

    steps: Natural
    learning_rate: Positive
    averaged: Pattern | None

    # every candidate is optimised anew: minutes for a large model without an accelerator
    properties = MethodProperties(needs_parent=True, merge_time_settings=("steps", "learning_rate", "averaged"))

    def merge_tensor(self, group: TensorGroup, *, coefficients: Sequence[float], state: Any) -> AnyShape:
        """Merge one tensor; MergeError for coefficients off the simplex."""
        check_simplex(coefficients, method=self)
        if not is_matrix(group, averaged=self.averaged):
            return average(group, coefficients=coefficients, scale=1.0)
        weights = [len(coefficients) * coefficient for coefficient in coefficients]
        vectors = [expert - group.parent for expert in group.experts]
        inputs, outputs = _normal_equations(vectors, weights=weights)
        merged = weighted_sum(vectors, weights)
        optimizer = torch.optim.Adam([merged], lr=self.learning_rate)
        for _ in range(self.steps):
            merged.grad = torch.addmm(outputs, merged, inputs, beta=-2, alpha=2)
            optimizer.step()
        return merged + group.parent


@dataclass(frozen=True, eq=False)
class Decomposition:
    """Hold left diag(values) right^T: the leading singular directions of a matrix, in falling order."""

    left: Float[Tensor, "rows rank"]
    values: Float[Tensor, " rank"]
    right: Float[Tensor, "columns rank"]


def decompose(matrix: Float[Tensor, "rows columns"], *, rank: int) -> Decomposition:
    """Return the first `rank` singular values and vectors, in double precision."""
    if matrix.shape[0] < matrix.shape[1]:
        flipped = decompose(matrix.T, rank=rank)
        return Decomposition(flipped.right, flipped.values, flipped.left)
    wide = matrix.double()
    squares, vectors = torch.linalg.eigh(wide.T @ wide)
    values = squares.flip(0)[:rank].clamp(min=0).sqrt()
    right = vectors.flip(1)[:, :rank]
    return Decomposition(wide @ (right * _inverse(values)), values, right)


def orthogonal(matrix: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows columns"]:
    """Return U V^T of the matrix U S V^T, in double precision: all singular values made 1 (0 where they are)."""
    return _orthogonal(matrix.double())[0]


def isotropic(matrix: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows columns"]:
    """Return the matrix with all its singular values replaced by their mean."""
    directions, values = _orthogonal(matrix.double())
    return directions.mul_(values.mean()).to(matrix)


def is_matrix(group: TensorGroup, *, averaged: str | None) -> bool:
    """Return true for a tensor with two dimensions, unless its name matches the regular expression `averaged`."""
    return group.parent.dim() == 2 and not (averaged is not None and re.search(averaged, group.info.name))


def average(group: TensorGroup, *, coefficients: Sequence[float], scale: float) -> AnyShape:
    """Return the parent plus the scaled weighted sum of task vectors, as for all tensors that are not matrices."""
    weights = around_parent(scale * coefficient for coefficient in coefficients)
    return weighted_sum([group.parent, *group.experts], [weights.parent, *weights.experts])


def _orthogonal(matrix: Tensor) -> tuple[Tensor, Float[Tensor, " rank"]]:
    if matrix.shape[0] < matrix.shape[1]:
        directions, values = _orthogonal(matrix.T)
        return directions.T, values
    squares, vectors = torch.linalg.eigh(matrix.T @ matrix)
    values = squares.clamp(min=0).sqrt()
    return matrix @ ((vectors * _inverse(values)) @ vectors.T), values


def _inverse(values: Float[Tensor, " rank"]) -> Float[Tensor, " rank"]:
    """Return one over each value; 0 for dust."""
    if not len(values):
        return values
    above_dust = (values > DUST * values.max()) & (values > 0)
    return torch.where(above_dust, 1.0 / values.where(above_dust, 1.0), 0.0)


def divide_by_weights(number: int, *, weights: Sequence[float]) -> list[int]:
    """Divide the number into whole parts by weights, which are at least 0: largest remainders, the earlier first."""
    exact = [number * weight / sum(weights) for weight in weights]
    parts = [int(part + 1e-6) for part in exact]  # 1/3 of 9 is 3, however it is rounded
    by_remainder = sorted(range(len(parts)), key=lambda position: parts[position] - exact[position])
    for position in by_remainder[: number - sum(parts)]:
        parts[position] += 1
    return parts


def _normal_equations(
    vectors: Sequence[Float[Tensor, "rows columns"]], *, weights: Sequence[float]
) -> tuple[Float[Tensor, "columns columns"], Float[Tensor, "rows columns"]]:
    """Return A and B: the loss is least where t A = B."""
    rows, columns = vectors[0].shape
    inputs, outputs = vectors[0].new_zeros(columns, columns), vectors[0].new_zeros(rows, columns)
    for vector, weight in zip(vectors, weights, strict=True):
        size = float(vector.square().sum())
        if weight and size:
            squared = vector.T @ vector
            inputs.add_(squared, alpha=weight / size)
            outputs.addmm_(vector, squared, alpha=weight / size)
    return inputs, outputs
