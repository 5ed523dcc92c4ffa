"""Measure angles of experts and of their task vectors, in double precision."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float

from dfwe.merging.base import TensorGroup

BLOCK = 2**17  # values of an expert at a time: their copies in double precision stay in the cache


def inner_products(group: TensorGroup, *, from_parent: bool) -> Float[np.ndarray, "experts experts"]:
    """Return <x_i, x_j> of one tensor's experts taken as vectors, from the origin or from their parent.

    The angles of experts that come from one parent are small, and a cosine is flat there: hence double precision.
    """
    experts = [expert.reshape(-1) for expert in group.experts]
    parent = group.parent.reshape(-1) if from_parent else None
    total = torch.zeros(len(experts), len(experts), dtype=torch.float64, device=experts[0].device)
    for begin in range(0, experts[0].numel(), BLOCK):
        part = slice(begin, begin + BLOCK)
        block = torch.stack([expert[part].double() for expert in experts])
        if parent is not None:
            block -= parent[part].double()
        total += block @ block.T
    return np.asarray(total.cpu().numpy())


def cosines(
    products: Float[np.ndarray, "experts experts"], *, floor: float = 0.0
) -> Float[np.ndarray, "experts experts"]:
    """Return the cosines of the angles between vectors with these inner products; 0 if one has no length.

    The product of two lengths counts as at least `floor`.
    """
    lengths = np.sqrt(np.diag(products))
    outer = np.maximum(np.outer(lengths, lengths), floor)
    return np.asarray(np.divide(products, outer, out=np.zeros_like(products), where=outer > 0)).clip(-1.0, 1.0)
