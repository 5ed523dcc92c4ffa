"""The n-th smallest of the values of whole models, exactly, without holding them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dfwe.merging.base import Piece

_HALF = 16  # bits: a value is found by its upper half first, then by its lower one
_BUCKETS = 1 << _HALF

Values = Callable[[Piece], Iterable[Float[Tensor, "*shape"]]]
"""What is ranked of a piece: one tensor for each expert, made one at a time."""


def nth_smallest(
    pieces: Iterable[Piece], *, values: Values, ranks: Callable[[int], Sequence[int]]
) -> list[tuple[float, ...]]:
    """For each expert the values at some ranks (1 is the smallest), given by the number of its values.

    Two passes over the pieces, and counts of 2^16 buckets: floats are ordered as the integers of their bits are.
    """
    coarse = _count(pieces, keys=lambda piece: (_ordered(each) >> _HALF for each in values(piece)))
    found = [ranks(int(counts.sum())) for counts in coarse]
    buckets = [sorted({_bucket(counts, rank) for rank in wanted}) for counts, wanted in zip(coarse, found, strict=True)]
    fine = [[torch.zeros(_BUCKETS, dtype=torch.long) for _ in each] for each in buckets]
    for piece in pieces:
        for each, wanted, counts in zip(values(piece), buckets, fine, strict=True):
            ordered = _ordered(each)
            for bucket, count in zip(wanted, counts, strict=True):
                low = ordered[(ordered >> _HALF) == bucket - _BUCKETS // 2] & (_BUCKETS - 1)
                count += torch.bincount(low, minlength=_BUCKETS).cpu()
    return [
        tuple(_value(coarse[expert], rank, dict(zip(buckets[expert], fine[expert], strict=True))) for rank in wanted)
        for expert, wanted in enumerate(found)
    ]


def _count(pieces: Iterable[Piece], *, keys: Callable[[Piece], Iterable[Tensor]]) -> list[Int[Tensor, " buckets"]]:
    totals: list[Tensor] = []
    for piece in pieces:
        for expert, key in enumerate(keys(piece)):
            if expert == len(totals):
                totals.append(torch.zeros(_BUCKETS, dtype=torch.long))
            totals[expert] += torch.bincount(key + _BUCKETS // 2, minlength=_BUCKETS).cpu()
    return totals


def _ordered(values: Float[Tensor, "*shape"]) -> Int[Tensor, " values"]:
    """Integers in the order of the values: a negative number's bits count backwards."""
    bits = values.reshape(-1).float().view(torch.int32)
    return torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits)


def _bucket(counts: Int[Tensor, " buckets"], rank: int) -> int:
    return int(torch.searchsorted(counts.cumsum(0), rank))


def _value(coarse: Int[Tensor, " buckets"], rank: int, fine: dict[int, Int[Tensor, " buckets"]]) -> float:
    bucket = _bucket(coarse, rank)
    low = _bucket(fine[bucket], rank - int(coarse[:bucket].sum()))
    ordered = ((bucket - _BUCKETS // 2) << _HALF) + low
    bits = ordered if ordered >= 0 else ordered ^ 0x7FFFFFFF
    return float(torch.tensor(bits, dtype=torch.int32).view(torch.float32))
