"""Turn a merge method and the experts' array into a function that writes merges into a model's buffer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import Any, TypeVar

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
from dfwe.merging.expert_array import Adapter, ExpertArray, Weights
from dfwe.models.adapters import Factors

BLOCK = 2**19  # values: a result and one copy of its parts stay in a core's cache
SUM_BLOCK = 2**20  # values of a weighted sum: the fastest of 2^14 to 2^21 when measured

STREAM_BLOCK = 2**17  # values of experts on disk: copies of a block of each stay in a core's cache

T = TypeVar("T")
WriteMerge = Callable[[Float[np.ndarray, "groups experts"], Mapping[str, float], Weights], None]
"""Writes the merge with these coefficients (one row per group) and settings of the method into a model's weights."""


def prepare_merge(method: MergeMethod, experts: ExpertArray, *, groups: CoefficientGroups | None = None) -> WriteMerge:
    """Return a function that writes the merge with given coefficients and settings into a model's weights.

    These are one flat vector, or tensors by name wherever each lies. A sum of experts in memory is fastest in a vector.

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


@dataclass(frozen=True, eq=False)
class TensorGroups:
    """Iterate over the tensors of an array of experts, as often as needed: views, but for what adapters change."""

    experts: ExpertArray

    def __iter__(self) -> Iterator[TensorGroup]:
        """Yield the tensors in the layout's order; none that was computed is held."""
        experts, infos = self.experts, tensor_infos(self.experts.layout.names)
        parent = {} if experts.parent is None else experts.layout.views(experts.parent)
        for info, tensors in zip(infos, experts.tensors(), strict=True):
            statistics = tuple(of_expert.get(info.name) for of_expert in experts.statistics)
            yield TensorGroup(info, tensors, parent.get(info.name), statistics)


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
    if on_cpu or experts.device != out.device or experts.dtype != out.dtype:
        segments = [
            replace(segment, begin=begin, end=min(begin + SUM_BLOCK, segment.end))
            for segment in segments
            for begin in range(segment.begin, segment.end, SUM_BLOCK)
        ]
    _for_each(partial(_sum_segment, experts, out=out, parent=parent), segments, shares_threads=on_cpu)


def _for_each(function: Callable[[T], None], tasks: Sequence[T], *, shares_threads: bool) -> None:
    """Call the function with each of the tasks, several at a time if they share the CPU's threads."""
    with thread_pool() if shares_threads and len(tasks) > 1 else nullcontext() as pool:
        list(map(function, tasks) if pool is None else pool.map(function, tasks))


def sum_experts(experts: ExpertArray, weights: Sequence[TensorWeights], *, out: Weights, has_parent: bool) -> None:
    """Write the experts' sum with each tensor's weights, plus the weighted parent if it has one, into `out`.

    Adapters' base is weighed once. Of each tensor that they change all factors are one product, added in place.
    """
    if isinstance(out, Mapping) or experts.is_on_disk:
        _sum_tensors(experts, weights, out=experts.layout.views(out), has_parent=has_parent)
    else:
        _sum_rows(experts, weights, out=out, has_parent=has_parent)
    if experts.adapters:
        _add_changes(experts, weights, out=experts.layout.views(out))


def _sum_tensors(
    experts: ExpertArray, weights: Sequence[TensorWeights], *, out: Mapping[str, Tensor], has_parent: bool
) -> None:
    """Write the weighted sum of whole models and base tensor by tensor; on a CPU blocks share the threads."""
    parent = experts.base if experts.adapters else experts.parent if has_parent else None
    models = [*experts.whole, *([] if parent is None else [experts.layout.views(parent)])]

    def sum_block(block: tuple[str, TensorWeights, int]) -> None:
        name, of_tensor, begin = block
        part = slice(begin, begin + STREAM_BLOCK)
        of_parent = () if parent is None else (of_tensor.parent,)
        with torch.no_grad():
            parts = [model[name].reshape(-1)[part] for model in models]
            with _in_float32(out[name].view(-1)[part]) as total:
                _sum_parts(parts, (*of_tensor.experts, *of_parent), out=total)

    blocks = [
        (name, _weights_of_whole(experts, of_tensor, name=name), begin)
        for name, of_tensor in zip(experts.layout.names, weights, strict=True)
        for begin in range(0, out[name].numel(), STREAM_BLOCK)
    ]
    _for_each(sum_block, blocks, shares_threads=all(tensor.device.type == "cpu" for tensor in out.values()))


@contextmanager
def _in_float32(out: Tensor) -> Iterator[Tensor]:
    """Yield what a sum of float32 is written into: `out` itself, or for another format a copy that is rounded once."""
    total = out.float()
    yield total
    if total is not out:
        out.copy_(total)


def _sum_parts(parts: Sequence[Tensor], weights: Sequence[float], *, out: Tensor) -> None:
    """Write the weighted sum of vectors, as of rows in memory where all lie in main memory, else one by one."""
    if all(part.device.type == "cpu" for part in (*parts, out)):
        torch.mv(torch.stack(list(parts)).t(), torch.tensor(weights, dtype=torch.float32).to(out), out=out)
    else:
        _stream(parts, weights, out=out)


def _sum_rows(
    experts: ExpertArray,
    weights: Sequence[TensorWeights],
    *,
    out: Float[Tensor, " parameters"],
    has_parent: bool,
) -> None:
    """Write the weighted sum of whole models and base; neighbouring tensors with the same weights are one sum."""
    layout, end = experts.layout, 0
    segments: list[Segment] = []
    for name, shape, of_tensor in zip(layout.names, layout.shapes, weights, strict=True):
        begin, end = end, end + shape.numel()
        of_rows = _weights_of_whole(experts, of_tensor, name=name)
        if segments and segments[-1].weights == of_rows:
            begin = segments.pop().begin
        segments.append(Segment(begin, end, of_rows))
    parent = experts.base if experts.adapters else experts.parent if has_parent else None
    assert not isinstance(parent, Mapping), "it is on disk"
    sum_segments(experts.weights, segments, out=out, parent=parent)


def _weights_of_whole(experts: ExpertArray, weights: TensorWeights, *, name: str) -> TensorWeights:
    """Return the weights of whole models, and of the base: its own, and those of all adapters that begin with it."""
    if not experts.adapters:
        return weights
    pairs: list[tuple[float, Adapter | None]] = list(zip(weights.experts, experts.adapters, strict=True))
    rows = tuple(weight for weight, adapter in pairs if adapter is None)
    of_base = (weight for weight, adapter in pairs if adapter is not None and not isinstance(adapter.get(name), Tensor))
    return TensorWeights(rows, sum(of_base, start=weights.parent))


def _add_changes(experts: ExpertArray, weights: Sequence[TensorWeights], *, out: Mapping[str, Tensor]) -> None:
    """Add what adapters change to the weighted base; on a CPU tensors share the threads."""
    tasks = []
    for name, of_tensor in zip(experts.layout.names, weights, strict=True):
        pairs = zip(of_tensor.experts, experts.adapters, strict=True)
        changes = [(weight, adapter[name]) for weight, adapter in pairs if adapter and weight and name in adapter]
        tasks += [(out[name], changes)] if changes else []
    on_cpu = all(view.device.type == "cpu" for view, _ in tasks)
    _for_each(lambda task: _add_to(*task), tasks, shares_threads=on_cpu)


@torch.no_grad()
def _add_to(view: Tensor, changes: Sequence[tuple[float, Factors | Tensor]]) -> None:
    factors = [(weight, change) for weight, change in changes if isinstance(change, Factors)]
    with _in_float32(view) as total:
        for weight, change in changes:
            if isinstance(change, Tensor):
                total.add_(change.to(view.device), alpha=weight)
        if factors:
            lefts = [change.left.to(view.device) * (weight * change.scale) for weight, change in factors]
            total.addmm_(torch.cat(lefts, dim=1), torch.cat([change.right.to(view.device) for _, change in factors]))


def _sum_segment(experts: Tensor, segment: Segment, *, out: Tensor, parent: Tensor | None) -> None:
    part, weights = slice(segment.begin, segment.end), segment.weights
    with _in_float32(out[part]) as total:
        if not len(experts):
            assert parent is not None, "there are adapters alone, and no base"
            torch.mul(parent[part].to(out.device, non_blocking=True), weights.parent, out=total)
            return
        if experts.device == out.device:
            torch.mv(experts[:, part].t(), torch.tensor(weights.experts, dtype=torch.float32).to(total), out=total)
        else:
            _stream(experts[:, part], weights.experts, out=total)
        if parent is not None:
            total.add_(parent[part].to(out.device, non_blocking=True), alpha=weights.parent)


def _stream(experts: Sequence[Tensor] | Tensor, weights: Sequence[float], *, out: Tensor) -> None:
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
        out: Weights,
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
        groups = TensorGroups(self.experts)
        self._model_state = method.prepare_model(groups)
        self._states = {}
        if not isinstance(method, LinearMethod):
            self._states = {group.info.name: method.prepare_tensor(group, state=self._model_state) for group in groups}

    def _sum(self, method: LinearMethod, by_tensor: Sequence[tuple[float, ...]], out: Weights) -> None:
        pairs = zip(tensor_infos(self.experts.layout.names), by_tensor, strict=True)
        weights = [
            method.tensor_weights(coefficients, tensor=info, state=self._model_state) for info, coefficients in pairs
        ]
        if not method.properties.needs_parent:
            weights = [replace(of_tensor, parent=0.0) for of_tensor in weights]
        sum_experts(self.experts, weights, out=out, has_parent=method.properties.needs_parent)

    def _merge(self, method: MergeMethod, by_tensor: Sequence[tuple[float, ...]], out: Weights) -> None:
        views = self.experts.layout.views(out)
        is_elementwise = method.properties.is_elementwise

        def merge(task: tuple[TensorGroup, tuple[float, ...]]) -> None:
            part, coefficients = task
            with torch.no_grad():
                state = self._states[part.info.name]
                merged = method.merge_tensor(part, coefficients=coefficients, state=state)
                flat = views[part.info.name].view(-1)
                flat[part.begin : part.begin + merged.numel()].view(merged.shape).copy_(merged)

        batches: Iterable[list[tuple[TensorGroup, tuple[float, ...]]]] = (
            [(part, coefficients) for part in (blocks(group) if is_elementwise else [group])]
            for group, coefficients in zip(TensorGroups(self.experts), by_tensor, strict=True)
        )
        if (
            not self.experts.adapters and not self.experts.is_on_disk
        ):  # all are views: no thread needs to wait for the others at a tensor's end
            batches = [list(chain.from_iterable(batches))]
        on_cpu = all(view.device.type == "cpu" for view in views.values())
        with thread_pool() if is_elementwise and on_cpu else nullcontext() as pool:
            for batch in batches:
                list(map(merge, batch) if pool is None else pool.map(merge, batch))
