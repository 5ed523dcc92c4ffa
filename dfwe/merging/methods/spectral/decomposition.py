"""Decompose matrices into singular directions, in double precision whatever the matrix is.

With T^T T = V S^2 V^T, the left singular vectors are T V / S, which is faster than an SVD in single precision, most of
all for long matrices, and exact enough for singular values above DUST of the largest. Smaller ones are taken for zero,
where an SVD returns arbitrary directions: experts that changed only few rows of a matrix change no others when merged.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dfwe.merging.base import TensorGroup, around_parent, weighted_sum

DUST = 1e-7  # of the largest singular value: double precision resolves the square of that


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


def average(group: TensorGroup, *, coefficients: Sequence[float], scale: float) -> Float[Tensor, "*shape"]:
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
