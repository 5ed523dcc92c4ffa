"""The weighted sum of experts, straight into a model's buffer, at the speed of the memory."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

_BLOCK = 1 << 20  # numbers: 4 MB of each expert, the fastest of 2^14 to 2^21 when measured


def mix(
    weights: Float[Tensor, "experts parameters"],
    coefficients: Float[Tensor, " experts"],
    *,
    out: Float[Tensor, " parameters"],
    parent: tuple[Float[Tensor, " parameters"], float] | None = None,
) -> None:
    """Writes sum_i alpha_i theta_i into `out`, and adds the parent times its factor where there is one.

    Nothing of the size of a model is allocated. On another device than `out` the experts stay where they are and pass
    through it in blocks.
    """
    if weights.device != out.device:
        _streamed(weights, coefficients, out=out, parent=parent)
    elif out.device.type == "cpu" and len(out) > _BLOCK and torch.get_num_threads() > 1:
        _on_threads(weights, coefficients.to(out), out=out, parent=parent)
    else:
        torch.mv(weights.t(), coefficients.to(out), out=out)
        _add(parent, out=out)


@dataclass(frozen=True)
class Span:
    """A stretch of a model with factors of its own."""

    begin: int
    end: int
    factors: tuple[float, ...]
    parent: float


def mix_spans(
    weights: Float[Tensor, "experts parameters"],
    spans: Sequence[Span],
    *,
    out: Float[Tensor, " parameters"],
    parent: Float[Tensor, " parameters"] | None,
) -> None:
    """As `mix`, each span by its own factors; on a CPU the spans share the threads."""
    if len(spans) == 1 or weights.device != out.device or out.device.type != "cpu":
        for span in spans:
            _mix_span(weights, span, out=out, parent=parent)
        return
    blocks = [
        replace(span, begin=begin, end=min(begin + _BLOCK, span.end))
        for span in spans
        for begin in range(span.begin, span.end, _BLOCK)
    ]
    with torch.inference_mode(), ThreadPoolExecutor(torch.get_num_threads()) as pool:
        list(pool.map(lambda block: _mix_span(weights, block, out=out, parent=parent), blocks))


def _mix_span(weights: Tensor, span: Span, *, out: Tensor, parent: Tensor | None) -> None:
    part = slice(span.begin, span.end)
    added = None if parent is None else (parent[part], span.parent)
    mix(weights[:, part], torch.tensor(span.factors, dtype=torch.float32), out=out[part], parent=added)


def _add(parent: tuple[Tensor, float] | None, *, out: Tensor, block: slice | None = None) -> None:
    if parent is not None:
        weights, factor = parent
        out.add_((weights if block is None else weights[block]).to(out.device, non_blocking=True), alpha=factor)


def _on_threads(weights: Tensor, coefficients: Tensor, *, out: Tensor, parent: tuple[Tensor, float] | None) -> None:
    """One part for each thread: the matrix-vector product itself runs on one, which does not fill the memory's bus."""
    threads = torch.get_num_threads()
    columns = weights.t()

    def part(number: int) -> None:
        begin, end = (len(out) * each // threads for each in (number, number + 1))
        for start in range(begin, end, _BLOCK):
            block = slice(start, min(start + _BLOCK, end))
            torch.mv(columns[block], coefficients, out=out[block])
            _add(parent, out=out[block], block=block)

    with torch.inference_mode(), ThreadPoolExecutor(threads) as pool:
        list(pool.map(part, range(threads)))


def _streamed(weights: Tensor, coefficients: Tensor, *, out: Tensor, parent: tuple[Tensor, float] | None) -> None:
    values = coefficients.tolist()
    for start in range(0, len(out), _BLOCK):
        block = slice(start, start + _BLOCK)
        torch.mul(weights[0, block].to(out.device, non_blocking=True), values[0], out=out[block])
        for row, value in zip(weights[1:], values[1:], strict=True):
            out[block].add_(row[block].to(out.device, non_blocking=True), alpha=value)
        _add(parent, out=out[block], block=block)
