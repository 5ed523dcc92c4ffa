"""From a rule and the experts' array to a function that writes merges into a model's buffer."""

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
from dfwe.merging.base import Mixing, Piece, Rule, check_parent, name_of
from dfwe.merging.experts import ExpertArray
from dfwe.merging.granularity import ByModel, Granularity
from dfwe.merging.mix import Span, mix_spans
from dfwe.merging.place import Place, depths

BLOCK = 2**19  # values: a result and one copy of its parts stay in a core's cache

Combine = Callable[[Float[np.ndarray, "groups experts"], Mapping[str, float], Float[Tensor, " parameters"]], None]
"""Writes the merge with these coefficients (one row a group) and settings of the rule into a flat buffer."""


def prepare(rule: Rule, experts: ExpertArray, *, by: Granularity | None = None) -> Combine:
    """A function that writes the merge with given coefficients and settings into a flat buffer.

    What does not depend on the coefficients is found once, and again only where a changed setting asks for it.

    Raises:
        MergeError: the rule needs something that the experts lack, such as their parent.
    """
    rule.check(len(experts.names))
    _check_needs(rule, experts)
    merger = _Merger(rule, experts, shares=(by or ByModel()).shares(experts.layout.names))
    return merger.write


def pieces(experts: ExpertArray) -> Iterator[Piece]:
    """The tensors of the experts' array, as views."""
    rows = [experts.layout.views(row) for row in experts.weights]
    parent = {} if experts.parent is None else experts.layout.views(experts.parent)
    for name, depth in depths(experts.layout.names).items():
        statistics = tuple(each.get(name) for each in experts.statistics)
        yield Piece(Place(name, depth), tuple(row[name] for row in rows), parent.get(name), statistics)


def blocks(piece: Piece) -> Iterator[tuple[int, Piece]]:
    """The piece in parts with where each begins, for elementwise rules."""
    flat = [expert.reshape(-1) for expert in piece.experts]
    parent = None if piece.parent is None else piece.parent.reshape(-1)
    statistics = [None if each is None else each.reshape(-1) for each in piece.statistics]
    for begin in range(0, flat[0].numel(), BLOCK):
        part = slice(begin, begin + BLOCK)
        yield (
            begin,
            Piece(
                piece.place,
                tuple(each[part] for each in flat),
                None if parent is None else parent[part],
                tuple(None if each is None else each[part] for each in statistics),
                begin,
            ),
        )


@contextmanager
def threads() -> Iterator[ThreadPoolExecutor]:
    """Torch's threads, each with work of its own: sharing every operation, they mostly wait for one another."""
    number = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(number) as pool:
            yield pool
    finally:
        torch.set_num_threads(number)


@dataclass
class _Merger:
    """The experts as a function of coefficients and settings; remembers what the last settings made it find."""

    rule: Rule
    experts: ExpertArray
    shares: Float[np.ndarray, "tensors groups"]
    _found_for: Rule | None = None
    _survey: Any = None
    _found: dict[str, Any] = field(default_factory=dict)

    def write(
        self,
        coefficients: Float[np.ndarray, "groups experts"],
        settings: Mapping[str, float],
        out: Float[Tensor, " parameters"],
    ) -> None:
        rule = replace(self.rule, **settings) if settings else self.rule  # type: ignore[type-var]
        if settings:
            rule.check(len(self.experts.names))
        by_tensor = [tuple(map(float, row)) for row in self.shares @ coefficients]
        with torch.no_grad():
            self._find(rule)
            if isinstance(rule, Mixing):
                self._mix(rule, by_tensor, out)
            else:
                self._merge(rule, by_tensor, out)

    def _find(self, rule: Rule) -> None:
        early = replace(rule, **{name: getattr(self.rule, name) for name in rule.traits.late})  # type: ignore[type-var]
        if early == self._found_for:
            return
        self._found_for = early
        self._survey = rule.survey(list(pieces(self.experts)))  # views: rules go through them again and again
        self._found = {}
        if not isinstance(rule, Mixing):
            for piece in pieces(self.experts):
                self._found[piece.place.tensor] = rule.examine(piece, survey=self._survey)

    def _mix(self, rule: Mixing, by_tensor: Sequence[tuple[float, ...]], out: Tensor) -> None:
        """Neighbouring tensors with the same factors are one sum."""
        layout, parent = self.experts.layout, self.experts.parent if rule.traits.parent else None
        places = [Place(name, depth) for name, depth in depths(layout.names).items()]
        factors = [rule.factors(c, place=p, survey=self._survey) for c, p in zip(by_tensor, places, strict=True)]
        ends = np.cumsum([shape.numel() for shape in layout.shapes]).tolist()
        spans: list[Span] = []
        for now, begin, end in zip(factors, [0, *ends], ends, strict=False):
            if spans and (spans[-1].factors, spans[-1].parent) == (now.experts, now.parent):
                spans[-1] = replace(spans[-1], end=end)
            else:
                spans.append(Span(begin, end, now.experts, now.parent))
        mix_spans(self.experts.weights, spans, out=out, parent=parent)

    def _merge(self, rule: Rule, by_tensor: Sequence[tuple[float, ...]], out: Tensor) -> None:
        views, tasks = self.experts.layout.views(out), []
        for piece, coefficients in zip(pieces(self.experts), by_tensor, strict=True):
            found, view = self._found[piece.place.tensor], views[piece.place.tensor]
            parts = blocks(piece) if rule.traits.elementwise else [(None, piece)]
            tasks += [(part, coefficients, found, view, begin) for begin, part in parts]

        def merge(task: tuple[Piece, tuple[float, ...], Any, Tensor, int | None]) -> None:
            part, coefficients, found, view, begin = task
            with torch.no_grad():
                merged = rule.tensor(part, coefficients=coefficients, found=found)
                to = view if begin is None else view.view(-1)[begin : begin + merged.numel()]
                to.copy_(merged)

        if rule.traits.elementwise and out.device.type == "cpu":
            with threads() as pool:
                list(pool.map(merge, tasks))
        else:
            for task in tasks:
                merge(task)


def _check_needs(rule: Rule, experts: ExpertArray) -> None:
    if rule.traits.parent:
        check_parent(experts.parent, rule=rule)
    if rule.traits.statistics and len(experts.statistics) != len(experts.names):
        raise MergeError(
            f"{name_of(rule)} needs statistics of every expert ({', '.join(experts.names)}): "
            "a study collects them by the merge's `statistics`"
        )
