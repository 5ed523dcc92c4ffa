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

_STEPS = (1, 2, 5, 10)
_MOST_TICKS = 7  # about


@dataclass(frozen=True)
class ForestRow:
    """Hold a model's difference to the reference, a fraction, and the ends of its interval.

    `is_interval` is False for a standard deviation over a few seeds, which leaves out nothing.
    """

    name: str
    kind: str
    delta: float
    ends: tuple[float, float]
    is_interval: bool = True
    is_strong: bool = False

    @classmethod
    def of(cls, row: Mapping[str, Any], compared: Mapping[str, Any], *, strong: bool = False) -> ForestRow | None:
        """Return that of a row of results; None where it was not compared, or on one dialogue."""
        delta, ends = compared.get("delta"), compared.get("delta_interval")
        if delta is None or ends is None:
            return None
        expert, (low, high) = row.get("is_expert"), ends
        kind = row["kind"] if expert is None else f"{row['kind']}, is {expert_name(str(expert))}"
        return cls(name_of(row), kind, delta, (low, high), is_strong=strong)

    @property
    def side(self) -> str:
        """Side of 0 on which the interval lies: above, below, or open where it holds 0."""
        if not self.is_interval or self.ends[0] <= 0 <= self.ends[1]:
            return "open"
        return "above" if self.delta > 0 else "below"

    @property
    def text(self) -> str:
        """Difference times 100."""
        return signed(self.delta)

    @property
    def small(self) -> str:
        """Ends of the interval times 100."""
        return interval(self.ends, sign=True)

    @property
    def tip(self) -> str:
        """Text that is shown on hovering over the mark."""
        beyond = "" if self.side == "open" else f", {self.side} 0"
        return f"{self.name}: {self.text} ({self.small}){beyond}"


@dataclass(frozen=True)
class ForestPlot:
    """Hold the rows and their scale, which has 0 and some room in it."""

    caption: str
    rows: Sequence[ForestRow]

    def place(self, value: float) -> float:
        """Return the place of a difference in per cent of the plot's width."""
        low, high, _ = self._scale()
        return round(100 * (value - low) / (high - low), 2)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Places and labels of round differences."""
        low, high, step = self._scale()
        values = [step * number for number in range(math.ceil(low / step), math.floor(high / step) + 1)]
        return [(self.place(value), f"{100 * value + 0.0:+.3g}" if value else "0") for value in values]

    def _scale(self) -> tuple[float, float, float]:
        """Return both ends, and the distance of ticks."""
        values = [end for row in self.rows for end in row.ends]
        low, high = min(0.0, *values), max(0.0, *values)
        width = max(high - low, 0.01)
        power = 10.0 ** math.floor(math.log10(width / _MOST_TICKS))
        step = next(factor * power for factor in _STEPS if factor * power >= width / _MOST_TICKS)
        return low - 0.04 * width, high + 0.04 * width, step
