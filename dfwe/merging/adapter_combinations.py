"""Combine LoRA adapters as PEFT's `add_weighted_adapter` does: their factors, or the sum of products cut to a rank."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from dfwe.errors import MergeError
from dfwe.merging.expert_array import ExpertArray
from dfwe.models.adapters import Factors

Weighted = Sequence[tuple[float, Factors]]
COMBINATIONS = ("linear", "svd")  # PEFT's names


def combine_adapters(
    experts: ExpertArray, weights: Sequence[Sequence[float]], *, combination: str
) -> dict[str, Factors]:
    """Return the factors of one adapter, by the names of tensors; `weights` has the experts' for each tensor.

    Raises:
        MergeError: an expert is a whole model or has whole tensors, or ranks differ for `linear`.
    """
    parts = dict(zip(experts.layout.names, weights, strict=True))
    factors = {name: _weighted(experts, name=name, weights=of_tensor) for name, of_tensor in parts.items()}
    ranks = {part.first.shape[0] for of_tensor in factors.values() for _, part in of_tensor}
    if combination == "linear" and len(ranks) > 1:
        raise MergeError(f"adapters of the ranks {', '.join(map(str, sorted(ranks)))} have no linear combination")
    combine: Callable[[Weighted], Factors] = linear if combination == "linear" else lambda of: svd(of, rank=max(ranks))
    return {name: combine(of_tensor) for name, of_tensor in factors.items() if of_tensor}


def linear(parts: Weighted) -> Factors:
    """Return A = sum_i sign(w_i) sqrt(|w_i s_i|) A_i and B = sum_i sqrt(|w_i s_i|) B_i, s_i being the scales."""
    products = [weight * part.scale for weight, part in parts]
    first = [
        math.copysign(abs(product) ** 0.5, product) * part.first
        for product, (_, part) in zip(products, parts, strict=True)
    ]
    second = [abs(product) ** 0.5 * part.second for product, (_, part) in zip(products, parts, strict=True)]
    return Factors(torch.stack(first).sum(0), torch.stack(second).sum(0), 1.0, parts[0][1].is_transposed)


def svd(parts: Weighted, *, rank: int) -> Factors:
    """Return the best approximation of sum_i w_i s_i B_i A_i that has the rank, filled up with zeros to it.

    The sum is decomposed by way of its factors, in float64: no matrix is larger than these, or than all ranks.
    """
    left = torch.cat([part.left.double() * (weight * part.scale) for weight, part in parts], dim=1)
    right = torch.cat([part.right.double() for _, part in parts])
    (basis, inner), (other, outer) = torch.linalg.qr(left), torch.linalg.qr(right.T)
    u, values, v = torch.linalg.svd(inner @ outer.T, full_matrices=False)
    first, second = v[:rank] @ other.T, basis @ (u[:, :rank] * values[:rank])
    missing = rank - len(first)
    first = torch.nn.functional.pad(first, (0, 0, 0, missing))
    return Factors(first.float(), torch.nn.functional.pad(second, (0, missing)).float(), 1.0, False)


def _weighted(experts: ExpertArray, *, name: str, weights: Sequence[float]) -> list[tuple[float, Factors]]:
    parts = []
    for expert, weight, adapter in zip(experts.names, weights, experts.entries, strict=True):
        if adapter is None or isinstance(adapter.get(name), Tensor):
            raise MergeError(f"{expert} has '{name}' as a whole tensor, and PEFT combines factors alone")
        if isinstance(factors := adapter.get(name), Factors):
            parts.append((weight, factors))
    return parts
