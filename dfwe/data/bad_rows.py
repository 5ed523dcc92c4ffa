"""Rows of a user's or a release's files that cannot be used, or only just: kept with their place, counted, bounded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from dfwe.errors import DataError

_NUM_SHOWN = 3


class RowError(DataError):
    """A row that a task cannot use; whoever reads rows counts it as bad and goes on. `remedy` says what to set."""

    def __init__(self, reason: str, *, remedy: str = "") -> None:
        super().__init__(reason)
        self.remedy = remedy


@dataclass(frozen=True)
class BadRow:
    """One row that was left out, or that is odd."""

    path: str
    line: int  # from 1, as editors count; where a file has no lines, the number of the record
    reason: str
    remedy: str = ""  # what to set where such rows are meant

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}: {self.reason}"


@dataclass(frozen=True)
class Rows:
    """How many rows were read, which of them are bad, and which are odd: used, with something to look at."""

    num_read: int
    bad: tuple[BadRow, ...] = ()
    odd: tuple[BadRow, ...] = ()

    def __add__(self, other: Rows) -> Rows:
        return Rows(self.num_read + other.num_read, self.bad + other.bad, self.odd + other.odd)

    def summary(self) -> str:
        """The count of bad rows, the first few, and what to set, in one line; empty where no row is bad."""
        return f"{len(self.bad)} of {self.num_read} rows left out: {_examples(self.bad)}" if self.bad else ""

    def remarks(self) -> str:
        """As `summary`, of the odd rows."""
        return f"{len(self.odd)} of {self.num_read} rows are odd: {_examples(self.odd)}" if self.odd else ""


def bad_row(path: Path | str, *, line: int, reason: str, remedy: str = "") -> BadRow:
    """A bad row of the file at that path."""
    return BadRow(str(path), line, reason, remedy)


def check(rows: Rows, *, max_share: float, what: str, setting: str) -> None:
    """Raises DataError where more than `max_share` of the rows are bad; `setting` is where the user says how many."""
    if rows.bad and len(rows.bad) > max_share * rows.num_read:
        raise DataError(f"{what}: more than {max_share:.2%} of the rows are broken ({setting}): {rows.summary()}")


def _examples(rows: Sequence[BadRow]) -> str:
    """A few rows, one of each kind, each path said once; how many more there are; and what to set."""
    kinds: dict[tuple[str, str], list[BadRow]] = {}
    for row in rows:
        kinds.setdefault((row.path, row.reason), []).append(row)
    shown = list(kinds.values())[:_NUM_SHOWN]
    parts = [
        f"{path}, " + "; ".join(_kind(kind) for kind in group)
        for path, group in groupby(shown, key=lambda kind: kind[0].path)
    ]
    num_more = len(rows) - sum(map(len, shown))
    remedies = dict.fromkeys(kind[0].remedy for kind in shown if kind[0].remedy)
    return ". ".join(["; ".join([*parts, *([f"and {num_more} more"] if num_more else [])]), *remedies])


def _kind(rows: Sequence[BadRow]) -> str:
    """The lines of rows that are bad for one reason, and the reason."""
    lines = [row.line for row in rows]
    if len(lines) > 1 and lines == list(range(lines[0], lines[-1] + 1)):
        return f"lines {lines[0]} to {lines[-1]}: {rows[0].reason}"
    return f"line {lines[0]}{f' and {len(lines) - 1} more' if len(lines) > 1 else ''}: {rows[0].reason}"
