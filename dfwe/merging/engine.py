"""Turn a merge method and the experts' array into a function that writes merges into a model's buffer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dfwe.errors import MergeError
from dfwe.merging.base import (
    ByModel,
    CoefficientGroups,
    LinearMethod,
    MergeMethod,
    TensorGroup,
    TensorWeights,
    method_name,
    require_parent,
    tensor_infos,
)
from dfwe.merging.expert_array import ExpertArray

BLOCK = 2**19  # values: a result and one copy of its parts stay in a core's cache
SUM_BLOCK = 2**20  # values of a weighted sum: the fastest of 2^14 to 2^21 when measured

WriteMerge = Callable[[Float[np.ndarray, "groups experts"], Mapping[str, float], Float[Tensor, " parameters"]], None]
"""Writes the merge with these coefficients (one row per group) and settings of the method into a flat buffer."""


def prepare_merge(method: MergeMethod, experts: ExpertArray, *, groups: CoefficientGroups | None = None) -> WriteMerge:
    """Return a function that writes the merge with given coefficients and settings into a flat buffer.

    What does not depend on the coefficients is computed once, and again only if a changed setting requires it.

    Raises:
        MergeError: the method needs something that the experts lack, such as their parent.
    """
    method.check(len(experts.names))
    require_parent(experts.parent, method=method)
    if method.properties.needs_statistics and len(experts.statistics) != len(experts.names):
        raise MergeError(
            f"{method_name(method)} needs statistics of every expert ({', '.join(experts.names)}): "
            "a study collects them by the merge's `statistics`"
        )
    return _Engine(method, experts, rows=(groups or ByModel()).indices(experts.layout.names)).write


def tensor_groups(experts: ExpertArray) -> Iterator[TensorGroup]:
    """Yield the tensors of the experts' array, as views."""
    rows = [experts.layout.views(row) for row in experts.weights]
    parent = {} if experts.parent is None else experts.layout.views(experts.parent)
    for info in tensor_infos(experts.layout.names):
        statistics = tuple(tensors.get(info.name) for tensors in experts.statistics)
        yield TensorGroup(info, tuple(row[info.name] for row in rows), parent.get(info.name), statistics)


def blocks(group: TensorGroup) -> Iterator[TensorGroup]:
    """Yield the group's tensors in flat blocks, for elementwise methods."""
    for begin in range(0, group.experts[0].numel(), BLOCK):
        block = slice(begin, begin + BLOCK)
        yield TensorGroup(
            group.info,
            tuple(expert.reshape(-1)[block] for expert in group.experts),
            None if group.parent_tensor is None else group.parent_tensor.reshape(-1)[block],
            tuple(None if tensor is None else tensor.reshape(-1)[block] for tensor in group.statistics),
            begin,
        )


@contextmanager
def thread_pool() -> Iterator[ThreadPoolExecutor]:
    """Yield as many threads as torch has, each running whole operations: sharing each one, they mostly wait."""
    number = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(number) as pool:
            yield pool
    finally:
        torch.set_num_threads(number)


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
    through it in blocks. On a CPU blocks share the threads: one does not fill the memory's bus.
    """
    on_cpu = experts.device == out.device and out.device.type == "cpu"
    if on_cpu or experts.device != out.device:
        segments = [
            replace(segment, begin=begin, end=min(begin + SUM_BLOCK, segment.end))
            for segment in segments
            for begin in range(segment.begin, segment.end, SUM_BLOCK)
        ]
    if on_cpu and len(segments) > 1:
        with thread_pool() as pool:
            list(pool.map(lambda segment: _sum_segment(experts, segment, out=out, parent=parent), segments))
    else:
        for segment in segments:
            _sum_segment(experts, segment, out=out, parent=parent)


def _sum_segment(experts: Tensor, segment: Segment, *, out: Tensor, parent: Tensor | None) -> None:
    part, weights = slice(segment.begin, segment.end), segment.weights
    if experts.device == out.device:
        torch.mv(experts[:, part].t(), torch.tensor(weights.experts, dtype=torch.float32).to(out), out=out[part])
    else:
        _stream(experts[:, part], weights.experts, out=out[part])
    if parent is not None:
        out[part].add_(parent[part].to(out.device, non_blocking=True), alpha=weights.parent)


def _stream(experts: Tensor, weights: Sequence[float], *, out: Tensor) -> None:
    """Write the weighted sum of experts that lie on another device."""
    torch.mul(experts[0].to(out.device, non_blocking=True), weights[0], out=out)
    for row, weight in zip(experts[1:], weights[1:], strict=True):
        out.add_(row.to(out.device, non_blocking=True), alpha=weight)


@dataclass
class _Engine:
    """Merge the experts with varying coefficients and settings; keep the state that the last settings led to."""

    method: MergeMethod
    experts: ExpertArray
    rows: Sequence[int]  # of the coefficients, per tensor
    _prepared: MergeMethod | None = None
    _model_state: Any = None
    _states: dict[str, Any] = field(default_factory=dict)

    def write(
        self,
        coefficients: Float[np.ndarray, "groups experts"],
        settings: Mapping[str, float],
        out: Float[Tensor, " parameters"],
    ) -> None:
        method = replace(self.method, **settings) if settings else self.method  # type: ignore[type-var]
        if settings:
            method.check(len(self.experts.names))
        by_tensor = [tuple(map(float, coefficients[row])) for row in self.rows]
        with torch.no_grad():
            self._prepare(method)
            if isinstance(method, LinearMethod):
                self._sum(method, by_tensor, out)
            else:
                self._merge(method, by_tensor, out)

    def _prepare(self, method: MergeMethod) -> None:
        constant = {name: getattr(self.method, name) for name in method.properties.merge_time_settings}
        early = replace(method, **constant)  # type: ignore[type-var]
        if early == self._prepared:
            return
        self._prepared = early
        groups = list(tensor_groups(self.experts))  # views, read again and again
        self._model_state = method.prepare_model(groups)
        self._states = {}
        if not isinstance(method, LinearMethod):
            self._states = {group.info.name: method.prepare_tensor(group, state=self._model_state) for group in groups}

    def _sum(self, method: LinearMethod, by_tensor: Sequence[tuple[float, ...]], out: Tensor) -> None:
        """Write weighted sums; neighbouring tensors with the same weights are one sum."""
        layout, end = self.experts.layout, 0
        segments: list[Segment] = []
        for info, shape, coefficients in zip(tensor_infos(layout.names), layout.shapes, by_tensor, strict=True):
            begin, end = end, end + shape.numel()
            weights = method.tensor_weights(coefficients, tensor=info, state=self._model_state)
            if segments and segments[-1].weights == weights:
                begin = segments.pop().begin
            segments.append(Segment(begin, end, weights))
        parent = self.experts.parent if method.properties.needs_parent else None
        sum_segments(self.experts.weights, segments, out=out, parent=parent)

    def _merge(self, method: MergeMethod, by_tensor: Sequence[tuple[float, ...]], out: Tensor) -> None:
        views, tasks = self.experts.layout.views(out), []
        is_elementwise = method.properties.is_elementwise
        for group, coefficients in zip(tensor_groups(self.experts), by_tensor, strict=True):
            tasks += [(part, coefficients) for part in (blocks(group) if is_elementwise else [group])]

        def merge(task: tuple[TensorGroup, tuple[float, ...]]) -> None:
            part, coefficients = task
            with torch.no_grad():
                state = self._states[part.info.name]
                merged = method.merge_tensor(part, coefficients=coefficients, state=state)
                flat = views[part.info.name].view(-1)
                flat[part.begin : part.begin + merged.numel()].view(merged.shape).copy_(merged)

        if is_elementwise and out.device.type == "cpu":
            with thread_pool() as pool:
                list(pool.map(merge, tasks))
        else:
            for task in tasks:
                merge(task)
