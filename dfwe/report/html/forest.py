"""Lay out a forest plot: a row per model, its difference with the 95 % interval, all on one scale.

It is drawn by the page itself and not by matplotlib: its words are as large as the page's on any screen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dfwe.report.names import expert_name, name_of
from dfwe.report.numbers import interval, signed

_STEPS = (1, 2, 5)
_MOST_TICKS = 7  # about


@dataclass(frozen=True)
class ForestEntry:
    """Hold a model's difference to the reference, a fraction, and the ends of its interval."""

    name: str
    kind: str
    delta: float
    ends: tuple[float, float]
    has_ends: bool = True  # False: the interval is unknown, and `ends` are the delta
    is_interval: bool = True  # of 95%; a standard deviation over a few seeds is not one, and leaves out nothing
    is_strong: bool = False

    @classmethod
    def of(cls, row: Mapping[str, Any], compared: Mapping[str, Any], *, strong: bool = False) -> ForestEntry | None:
        """Return that of a row of results; None where it was not compared."""
        delta = compared.get("delta")
        if delta is None:
            return None
        error = compared.get("delta_standard_error")
        about = None if error is None else (delta - 1.96 * error, delta + 1.96 * error)
        ends = compared.get("delta_interval") or about
        low, high = ends or (delta, delta)
        return cls(name_of(row), _kind(row), delta, (low, high), has_ends=ends is not None, is_strong=strong)

    @property
    def side(self) -> str:
        """Side of 0 on which the interval lies: above, below, or open where it holds 0."""
        if not (self.has_ends and self.is_interval) or self.ends[0] <= 0 <= self.ends[1]:
            return "open"
        return "above" if self.delta > 0 else "below"


@dataclass(frozen=True)
class ForestRow:
    """Hold a model as it is drawn; places are in per cent of the plot's width."""

    name: str
    kind: str
    text: str
    ends: str
    place: float
    low: float
    high: float
    side: str
    is_strong: bool

    @property
    def tip(self) -> str:
        """Text that is shown on hovering over the mark."""
        beyond = {"above": ", above 0", "below": ", below 0", "open": ""}[self.side]
        return f"{self.name}: {self.text} ({self.ends}){beyond}" if self.ends else f"{self.name}: {self.text}"


@dataclass(frozen=True)
class ForestPlot:
    """Hold the rows, and the scale's ticks by their place; `zero` is the place of no difference."""

    caption: str
    zero: float
    ticks: Sequence[tuple[float, str]]
    rows: Sequence[ForestRow]


def forest_plot(entries: Sequence[ForestEntry | None], *, caption: str) -> ForestPlot | None:
    """Return the plot of the entries that are there, in their order; None without any."""
    present = [entry for entry in entries if entry is not None]
    if not present:
        return None
    low, high, step = _scale([end for entry in present for end in entry.ends])
    ticks = [step * number for number in range(math.ceil(low / step), math.floor(high / step) + 1)]

    def place(value: float) -> float:
        return round(100 * (value - low) / (high - low), 2)

    rows = [
        ForestRow(
            name=entry.name,
            kind=entry.kind,
            text=signed(entry.delta),
            ends=interval(entry.ends, sign=True) if entry.has_ends else "",
            place=place(entry.delta),
            low=place(entry.ends[0]),
            high=place(entry.ends[1]),
            side=entry.side,
            is_strong=entry.is_strong,
        )
        for entry in present
    ]
    labels = [(place(tick), f"{100 * tick + 0.0:+.3g}" if tick else "0") for tick in ticks]
    return ForestPlot(caption, place(0.0), labels, rows)


def _kind(row: Mapping[str, Any]) -> str:
    """Return a row's kind; of a merge that kept one expert as it is, which."""
    expert = row.get("is_expert")
    return str(row["kind"]) if expert is None else f"{row['kind']}, is {expert_name(str(expert))}"


def _scale(values: Sequence[float]) -> tuple[float, float, float]:
    """Return both ends, with 0 and some room in them, and the distance of ticks."""
    low, high = min(0.0, *values), max(0.0, *values)
    width = max(high - low, 0.01)
    power = 10.0 ** math.floor(math.log10(width / _MOST_TICKS))
    step = next(factor * power for factor in (*_STEPS, 10) if factor * power >= width / _MOST_TICKS)
    return low - 0.04 * width, high + 0.04 * width, step
