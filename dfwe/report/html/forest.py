"""A forest plot as the page draws it: a row a model, its difference with the 95 % interval, all on one scale.

It is drawn by the page itself and not by matplotlib: its words are as large as the page's on any screen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dfwe.report.html.cells import signed
from dfwe.report.names import expert_name, name_of
from dfwe.report.numbers import interval

_STEPS = (1, 2, 5)
_TICKS = 7  # at most about so many


@dataclass(frozen=True)
class ForestRow:
    """A model; places are in per cent of the plot's width, `side` says on which side of 0 its interval lies."""

    name: str
    kind: str
    shown: str
    ends: str
    place: float
    low: float
    high: float
    side: str  # above, below, or open: the interval holds 0
    strong: bool

    @property
    def tip(self) -> str:
        """What is read on hovering over its mark."""
        beyond = {"above": ", above 0", "below": ", below 0", "open": ""}[self.side]
        return f"{self.name}: {self.shown} ({self.ends}){beyond}" if self.ends else f"{self.name}: {self.shown}"


@dataclass(frozen=True)
class Forest:
    """The rows, and the scale's ticks by their place; `zero` is the place of no difference."""

    caption: str
    zero: float
    ticks: Sequence[tuple[float, str]]
    rows: Sequence[ForestRow]


@dataclass(frozen=True)
class Difference:
    """A model's difference to what all are compared with, a fraction, and the ends of its interval."""

    name: str
    kind: str
    delta: float
    ends: tuple[float, float]
    is_known: bool = True  # False: nothing is known of the interval, and `ends` are the delta
    is_interval: bool = True  # of 95%; a standard deviation over a few seeds is none, and leaves out nothing
    strong: bool = False

    @classmethod
    def of(cls, row: Mapping[str, Any], found: Mapping[str, Any], *, strong: bool = False) -> Difference | None:
        """Return that of a row of results; None where it was not compared."""
        delta = found.get("delta")
        if delta is None:
            return None
        error = found.get("delta_standard_error")
        about = None if error is None else (delta - 1.96 * error, delta + 1.96 * error)
        ends = found.get("delta_interval") or about
        low, high = ends or (delta, delta)
        return cls(name_of(row), _kind(row), delta, (low, high), is_known=ends is not None, strong=strong)


def forest_of(differences: Sequence[Difference | None], *, caption: str) -> Forest | None:
    """Return the plot of those that are there, in their order; None without any."""
    known = [each for each in differences if each is not None]
    if not known:
        return None
    low, high, step = _scale([end for each in known for end in each.ends])
    ticks = [step * number for number in range(math.ceil(low / step), math.floor(high / step) + 1)]

    def place(value: float) -> float:
        return round(100 * (value - low) / (high - low), 2)

    rows = [
        ForestRow(
            name=each.name,
            kind=each.kind,
            shown=signed(each.delta),
            ends=interval(each.ends, sign=True) if each.is_known else "",
            place=place(each.delta),
            low=place(each.ends[0]),
            high=place(each.ends[1]),
            side=_side(each),
            strong=each.strong,
        )
        for each in known
    ]
    return Forest(
        caption, place(0.0), [(place(tick), f"{100 * tick + 0.0:+.3g}" if tick else "0") for tick in ticks], rows
    )


def _kind(row: Mapping[str, Any]) -> str:
    """What a row is; of a merge that kept one expert as it is, which."""
    expert = row.get("is_expert")
    return str(row["kind"]) if expert is None else f"{row['kind']}, is {expert_name(str(expert))}"


def _side(found: Difference) -> str:
    if not (found.is_known and found.is_interval) or found.ends[0] <= 0 <= found.ends[1]:
        return "open"
    return "above" if found.delta > 0 else "below"


def _scale(values: Sequence[float]) -> tuple[float, float, float]:
    """Both ends, with 0 and some room in them, and the distance of ticks."""
    low, high = min(0.0, *values), max(0.0, *values)
    width = max(high - low, 0.01)
    power = 10.0 ** math.floor(math.log10(width / _TICKS))
    step = next(each * power for each in (*_STEPS, 10) if each * power >= width / _TICKS)
    return low - 0.04 * width, high + 0.04 * width, step
