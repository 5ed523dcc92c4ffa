"""Inner products of the experts' tensors: lengths and angles, once for all coefficients."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float

from dfwe.merging.base import Piece

BLOCK = 2**17  # values of an expert at a time: their copies in double precision stay in the cache


def inner_products(piece: Piece, *, about_parent: bool) -> Float[np.ndarray, "experts experts"]:
    """<x_i, x_j> of one tensor's experts taken as vectors, from the origin or from their parent.

    In double precision: the angles of experts that come from one parent are small, and a cosine is flat there.
    """
    flat = [expert.reshape(-1) for expert in piece.experts]
    parent = piece.base.reshape(-1) if about_parent else None
    total = torch.zeros(len(flat), len(flat), dtype=torch.float64, device=flat[0].device)
    for begin in range(0, flat[0].numel(), BLOCK):
        part = slice(begin, begin + BLOCK)
        block = torch.stack([expert[part].double() for expert in flat])
        if parent is not None:
            block -= parent[part].double()
        total += block @ block.T
    return np.asarray(total.cpu().numpy())


def cosines(
    products: Float[np.ndarray, "experts experts"], *, floor: float = 0.0
) -> Float[np.ndarray, "experts experts"]:
    """The cosines of the angles between vectors with these inner products, 0 where one has no length.

    The product of two lengths counts as at least `floor`.
    """
    lengths = np.sqrt(np.diag(products))
    outer = np.maximum(np.outer(lengths, lengths), floor)
    found: np.ndarray = np.divide(products, outer, out=np.zeros_like(products), where=outer > 0)
    return found.clip(-1.0, 1.0)
