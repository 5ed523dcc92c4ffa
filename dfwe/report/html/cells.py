"""Tables as templates draw them: cells with what they are sorted by, columns, rows with what they are filtered by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dfwe.report.numbers import interval, times_100

NOTHING = "–"


@dataclass(frozen=True)
class Cell:
    """What a cell says, and the number it is sorted by (a text is sorted by itself); `link` is relative to the page."""

    text: str
    value: float | None = None
    small: str = ""  # below or beside it, such as an interval
    link: str | None = None


@dataclass(frozen=True)
class Column:
    """A heading; numbers stand on the right, and their first click sorts the largest to the top."""

    name: str
    numeric: bool = True
    note: str = ""  # what it means, read out and shown on hovering


@dataclass(frozen=True)
class Row:
    """Cells, whether the row stands out, and what filters know of it: several values of a key are lines."""

    cells: Sequence[Cell]
    strong: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PageTable:
    """A table of the page; `id` is one of its own."""

    id: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    caption: str
    footer: Sequence[Cell] = ()


def text(content: object) -> Cell:
    """A cell of words."""
    return Cell(str(content))


def score(value: float | int | None, *, ends: Sequence[float] | None = None) -> Cell:
    """A fraction times 100, the ends of its 95% interval small."""
    exact = None if value is None else float(value)
    return Cell(times_100(exact), exact, small=interval(ends))


def difference(value: float | int | None, *, ends: Sequence[float] | None = None, error: float | None = None) -> Cell:
    """A difference of fractions times 100; small the ends of its 95% interval, or else its standard error."""
    if value is None:
        return Cell(NOTHING)
    small = interval(ends, sign=True) or (f"± {100 * error:.1f}" if error is not None else "")
    return Cell(signed(value), float(value), small=small)


def number(value: float | int | None, *, digits: int = 0) -> Cell:
    """A plain number with thin thousands."""
    return Cell(NOTHING) if value is None else Cell(f"{value:,.{digits}f}".replace(",", "\u202f"), float(value))


def p_value(value: float | int | None) -> Cell:
    """A p-value as it is usually written."""
    if value is None:
        return Cell(NOTHING)
    return Cell("< 0.001" if value < 0.001 else f"{value:.3f}", float(value))


def signed(value: float | int) -> str:
    """A difference of fractions times 100, with its sign."""
    return f"{round(100 * value, 1) + 0.0:+.1f}"  # + 0.0: no -0.0
