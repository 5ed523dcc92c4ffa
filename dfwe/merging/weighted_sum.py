"""Write weighted sums of experts into a model's buffer, at the speed of the memory."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from dfwe.merging.base import TensorWeights

_BLOCK = 1 << 20  # numbers: 4 MB of each expert, the fastest of 2^14 to 2^21 when measured


@dataclass(frozen=True)
class Segment:
    """Describe a range of a model's parameters that share their weights in a sum."""

    begin: int
    end: int
    weights: TensorWeights


def sum_segments(
    experts: Float[Tensor, "experts parameters"],
    segments: Sequence[Segment],
    *,
    out: Float[Tensor, " parameters"],
    parent: Float[Tensor, " parameters"] | None,
) -> None:
    """Write sum_i w_i theta_i, plus the weighted parent if there is one, into `out`, per segment.

    Nothing of the size of a model is allocated. On another device than `out` the experts stay where they are and pass
    through it in blocks. On a CPU several segments share the threads.
    """
    if len(segments) == 1 or experts.device != out.device or out.device.type != "cpu":
        for segment in segments:
            _sum_segment(experts, segment, out=out, parent=parent)
        return
    blocks = [
        replace(segment, begin=begin, end=min(begin + _BLOCK, segment.end))
        for segment in segments
        for begin in range(segment.begin, segment.end, _BLOCK)
    ]
    with torch.inference_mode(), ThreadPoolExecutor(torch.get_num_threads()) as pool:
        list(pool.map(lambda block: _sum_segment(experts, block, out=out, parent=parent), blocks))


def _sum_segment(experts: Tensor, segment: Segment, *, out: Tensor, parent: Tensor | None) -> None:
    part = slice(segment.begin, segment.end)
    weights = torch.tensor(segment.weights.experts, dtype=torch.float32)
    weighted_parent = None if parent is None else (parent[part], segment.weights.parent)
    _write_sum(experts[:, part], weights, out=out[part], parent=weighted_parent)


def _write_sum(experts: Tensor, weights: Tensor, *, out: Tensor, parent: tuple[Tensor, float] | None) -> None:
    if experts.device != out.device:
        _stream(experts, weights, out=out, parent=parent)
    elif out.device.type == "cpu" and len(out) > _BLOCK and torch.get_num_threads() > 1:
        _sum_on_threads(experts, weights.to(out), out=out, parent=parent)
    else:
        torch.mv(experts.t(), weights.to(out), out=out)
        _add_parent(parent, out=out)


def _add_parent(parent: tuple[Tensor, float] | None, *, out: Tensor, block: slice = slice(None)) -> None:
    if parent is not None:
        out.add_(parent[0][block].to(out.device, non_blocking=True), alpha=parent[1])


def _sum_on_threads(experts: Tensor, weights: Tensor, *, out: Tensor, parent: tuple[Tensor, float] | None) -> None:
    """Write one part per thread: a matrix-vector product runs on one, which does not fill the memory's bus."""
    threads = torch.get_num_threads()
    columns = experts.t()

    def write_part(number: int) -> None:
        begin, end = (len(out) * position // threads for position in (number, number + 1))
        for start in range(begin, end, _BLOCK):
            block = slice(start, min(start + _BLOCK, end))
            torch.mv(columns[block], weights, out=out[block])
            _add_parent(parent, out=out[block], block=block)

    with torch.inference_mode(), ThreadPoolExecutor(threads) as pool:
        list(pool.map(write_part, range(threads)))


def _stream(experts: Tensor, weights: Tensor, *, out: Tensor, parent: tuple[Tensor, float] | None) -> None:
    values = weights.tolist()
    for start in range(0, len(out), _BLOCK):
        block = slice(start, start + _BLOCK)
        torch.mul(experts[0, block].to(out.device, non_blocking=True), values[0], out=out[block])
        for row, value in zip(experts[1:], values[1:], strict=True):
            out[block].add_(row[block].to(out.device, non_blocking=True), alpha=value)
        _add_parent(parent, out=out[block], block=block)
