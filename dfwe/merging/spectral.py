"""What rules that look at the singular values of task vectors share: matrices' factors, and what is no matrix.

All of it is in double precision, whatever the matrix is: with T^T T = V S^2 V^T, the left singular vectors are
T V / S, which is faster than an SVD in single precision, most of all for long matrices, and exact enough for singular
values above DUST of the largest. Those below are taken for zero, where an SVD returns arbitrary directions: experts
that changed only few rows of a matrix change no others when merged.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dfwe.errors import MergeError
from dfwe.merging.base import Piece, weighted_sum

DUST = 1e-7  # of the largest singular value: double precision resolves the square of that


@dataclass(frozen=True, eq=False)
class Factors:
    """left diag(values) right^T: the directions of a matrix that matter most, in falling order."""

    left: Float[Tensor, "rows rank"]
    values: Float[Tensor, " rank"]
    right: Float[Tensor, "columns rank"]


def decompose(matrix: Float[Tensor, "rows columns"], *, rank: int) -> Factors:
    """The first `rank` singular values and vectors, in double precision."""
    if matrix.shape[0] < matrix.shape[1]:
        flipped = decompose(matrix.T, rank=rank)
        return Factors(flipped.right, flipped.values, flipped.left)
    wide = matrix.double()
    squares, vectors = torch.linalg.eigh(wide.T @ wide)
    values = squares.flip(0)[:rank].clamp(min=0).sqrt()
    right = vectors.flip(1)[:, :rank]
    return Factors(wide @ (right * _inverse(values)), values, right)


def orthogonal(matrix: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows columns"]:
    """U V^T of the matrix U S V^T, in double precision: all singular values made 1 (0 where they are)."""
    return _orthogonal(matrix.double())[0]


def isotropic(matrix: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows columns"]:
    """The matrix with all its singular values replaced by their mean."""
    directions, values = _orthogonal(matrix.double())
    return directions.mul_(values.mean()).to(matrix)


def is_matrix(piece: Piece, *, averaged: str | None) -> bool:
    """True for a tensor with two dimensions, unless its name holds the regular expression `averaged`."""
    return piece.base.dim() == 2 and not (averaged is not None and re.search(averaged, piece.place.tensor))


def average(piece: Piece, *, coefficients: Sequence[float], scale: float) -> Float[Tensor, "*shape"]:
    """The parent plus the scaled weighted sum of task vectors: what is done to anything but matrices."""
    scaled = [scale * coefficient for coefficient in coefficients]
    return weighted_sum([piece.base, *piece.experts], [1.0 - sum(scaled), *scaled])


def check_averaged(averaged: str | None, *, rule: str) -> None:
    """Raises MergeError where `averaged` is no regular expression."""
    try:
        re.compile(averaged or "")
    except re.error as error:
        raise MergeError(
            f"{rule}: averaged must be a regular expression of names, not {averaged!r} ({error})"
        ) from error


def _orthogonal(matrix: Tensor) -> tuple[Tensor, Float[Tensor, " rank"]]:
    if matrix.shape[0] < matrix.shape[1]:
        directions, values = _orthogonal(matrix.T)
        return directions.T, values
    squares, vectors = torch.linalg.eigh(matrix.T @ matrix)
    values = squares.clamp(min=0).sqrt()
    return matrix @ ((vectors * _inverse(values)) @ vectors.T), values


def _inverse(values: Float[Tensor, " rank"]) -> Float[Tensor, " rank"]:
    """One over each; 0 for those that are dust."""
    if not len(values):
        return values
    kept = (values > DUST * values.max()) & (values > 0)
    return torch.where(kept, 1.0 / values.where(kept, 1.0), 0.0)
