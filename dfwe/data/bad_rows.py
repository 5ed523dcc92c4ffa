"""Rows of a user's or a release's files that cannot be used: kept with their place, counted, and bounded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dfwe.errors import DataError

_NUM_SHOWN = 5


class RowError(DataError):
    """A row that a task cannot use; whoever reads rows counts it as bad and goes on."""


@dataclass(frozen=True)
class BadRow:
    """One row that was left out."""

    path: str
    line: int  # from 1, as editors count; where a file has no lines, the number of the record
    reason: str

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}: {self.reason}"


@dataclass(frozen=True)
class Rows:
    """How many rows were read, and which of them are bad."""

    num_read: int
    bad: tuple[BadRow, ...] = ()

    def __add__(self, other: Rows) -> Rows:
        return Rows(self.num_read + other.num_read, self.bad + other.bad)

    def summary(self) -> str:
        """The count and the first few, a line each; empty where no row is bad."""
        if not self.bad:
            return ""
        shown = [f"  {row}" for row in self.bad[:_NUM_SHOWN]]
        more = [f"  and {len(self.bad) - _NUM_SHOWN} more"] if len(self.bad) > _NUM_SHOWN else []
        return "\n".join([f"{len(self.bad)} of {self.num_read} rows left out:", *shown, *more])


def bad_row(path: Path | str, *, line: int, reason: str) -> BadRow:
    """A bad row of the file at that path."""
    return BadRow(str(path), line, reason)


def check(rows: Rows, *, max_share: float, what: str, setting: str) -> None:
    """Raises DataError where more than `max_share` of the rows are bad; `setting` is where the user says how many."""
    if rows.bad and len(rows.bad) > max_share * rows.num_read:
        raise DataError(f"{what}: more than {max_share:.2%} of the rows are broken ({setting}): {rows.summary()}")
