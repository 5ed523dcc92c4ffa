"""Find the n-th smallest of the values of whole models, exactly, without holding them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from dfwe.merging.base import AnyShape, TensorGroup

_HALF = 16  # bits: a value is found by its upper half first, then by its lower one
_BUCKETS = 1 << _HALF

Values = Callable[[TensorGroup], Iterable[AnyShape]]
"""Yields the ranked values of a group: one tensor per expert, made one at a time."""


def nth_smallest(
    groups: Iterable[TensorGroup], *, values: Values, ranks: Callable[[int], Sequence[int]]
) -> list[tuple[float, ...]]:
    """Return for each expert the values at some ranks (1 is the smallest), given by the number of its values.

    Two passes over the groups, and counts of 2^16 buckets: floats are ordered as the integers of their bits are.
    """
    coarse = _count(groups, keys=lambda group: (_ordered(tensor) >> _HALF for tensor in values(group)))
    wanted = [ranks(int(counts.sum())) for counts in coarse]
    fine = [
        {_bucket(counts, rank): torch.zeros(_BUCKETS, dtype=torch.long) for rank in expert_ranks}
        for counts, expert_ranks in zip(coarse, wanted, strict=True)
    ]
    for group in groups:
        for tensor, counts_by_bucket in zip(values(group), fine, strict=True):
            ordered = _ordered(tensor)
            for bucket, counts in counts_by_bucket.items():
                low = ordered[(ordered >> _HALF) == bucket - _BUCKETS // 2] & (_BUCKETS - 1)
                counts += torch.bincount(low, minlength=_BUCKETS).cpu()
    return [
        tuple(_value(counts, rank, counts_by_bucket) for rank in expert_ranks)
        for counts, expert_ranks, counts_by_bucket in zip(coarse, wanted, fine, strict=True)
    ]


def _count(
    groups: Iterable[TensorGroup], *, keys: Callable[[TensorGroup], Iterable[Tensor]]
) -> list[Int[Tensor, " buckets"]]:
    totals: list[Tensor] = []
    for group in groups:
        for expert, key in enumerate(keys(group)):
            if expert == len(totals):
                totals.append(torch.zeros(_BUCKETS, dtype=torch.long))
            totals[expert] += torch.bincount(key + _BUCKETS // 2, minlength=_BUCKETS).cpu()
    return totals


def _ordered(values: AnyShape) -> Int[Tensor, " values"]:
    """Return integers in the order of the values: a negative number's bits count backwards."""
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
