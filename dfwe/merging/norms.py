"""Norms of whole models and of their task vectors, in double precision."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from dfwe.merging.base import Piece


def task_vector_norms(pieces: Iterable[Piece]) -> tuple[float, ...]:
    """||theta_i - theta_0|| of each expert, over all tensors."""
    return _over_tensors([_norm(expert - piece.base) for expert in piece.experts] for piece in pieces)


def weight_norms(pieces: Iterable[Piece]) -> tuple[float, ...]:
    """||theta_i|| of each expert, over all tensors."""
    return _over_tensors([_norm(expert) for expert in piece.experts] for piece in pieces)


def _over_tensors(norms: Iterable[list[float]]) -> tuple[float, ...]:
    return tuple(math.hypot(*each) for each in zip(*norms, strict=True))


def _norm(tensor: Tensor) -> float:
    return float(torch.linalg.vector_norm(tensor, dtype=torch.float64))
