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
from dfwe.merging.base import LinearMethod, MergeMethod, TensorGroup, method_name, require_parent, tensor_infos
from dfwe.merging.coefficient_groups import ByModel, CoefficientGroups
from dfwe.merging.expert_array import ExpertArray
from dfwe.merging.weighted_sum import Segment, sum_segments

BLOCK = 2**19  # values: a result and one copy of its parts stay in a core's cache

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
    experts = [expert.reshape(-1) for expert in group.experts]
    parent = None if group.parent_tensor is None else group.parent_tensor.reshape(-1)
    statistics = [None if tensor is None else tensor.reshape(-1) for tensor in group.statistics]
    for begin in range(0, experts[0].numel(), BLOCK):
        block = slice(begin, begin + BLOCK)
        yield TensorGroup(
            group.info,
            tuple(expert[block] for expert in experts),
            None if parent is None else parent[block],
            tuple(None if tensor is None else tensor[block] for tensor in statistics),
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
        self._model_state = method.prepare_model(list(tensor_groups(self.experts)))  # views, read again and again
        self._states = {}
        if not isinstance(method, LinearMethod):
            for group in tensor_groups(self.experts):
                self._states[group.info.name] = method.prepare_tensor(group, state=self._model_state)

    def _sum(self, method: LinearMethod, by_tensor: Sequence[tuple[float, ...]], out: Tensor) -> None:
        """Write weighted sums; neighbouring tensors with the same weights are one sum."""
        layout = self.experts.layout
        parent = self.experts.parent if method.properties.needs_parent else None
        ends = np.cumsum([shape.numel() for shape in layout.shapes]).tolist()
        segments: list[Segment] = []
        for info, coefficients, begin, end in zip(
            tensor_infos(layout.names), by_tensor, [0, *ends], ends, strict=False
        ):
            weights = method.tensor_weights(coefficients, tensor=info, state=self._model_state)
            if segments and segments[-1].weights == weights:
                segments[-1] = replace(segments[-1], end=end)
            else:
                segments.append(Segment(begin, end, weights))
        sum_segments(self.experts.weights, segments, out=out, parent=parent)

    def _merge(self, method: MergeMethod, by_tensor: Sequence[tuple[float, ...]], out: Tensor) -> None:
        views, tasks = self.experts.layout.views(out), []
        is_elementwise = method.properties.is_elementwise
        for group, coefficients in zip(tensor_groups(self.experts), by_tensor, strict=True):
            parts = blocks(group) if is_elementwise else [group]
            tasks += [(part, coefficients) for part in parts]

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
