"""Results of every reader: dialogues (or rows), their splits, a digest, and a report on rows with problems."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from dfwe.errors import DataError
from dfwe.records import Split

# The JSON object of a dialogue in the TLiDB format; of a table, an object with the rows of one group under "rows".
Dialogue = Mapping[str, Any]

_NUM_SHOWN = 3


class RowError(DataError):
    """A row that a task cannot use; callers list it as invalid and go on. `remedy` names the setting to change."""

    def __init__(self, reason: str, *, remedy: str = "") -> None:
        super().__init__(reason)
        self.remedy = remedy


@dataclass(frozen=True)
class RowIssue:
    """A row of a file that was left out as invalid, or is suspicious."""

    path: str
    line: int  # from 1, as editors count; the number of the record in files without lines
    reason: str
    remedy: str = ""  # the setting to change if such rows are intended

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}: {self.reason}"


@dataclass(frozen=True)
class RowReport:
    """Number of rows read, with the invalid ones and the suspicious ones, which are used."""

    num_rows: int
    invalid: tuple[RowIssue, ...] = ()
    suspicious: tuple[RowIssue, ...] = ()

    def __add__(self, other: RowReport) -> RowReport:
        return RowReport(
            self.num_rows + other.num_rows, self.invalid + other.invalid, self.suspicious + other.suspicious
        )

    def warnings(self) -> list[str]:
        """Return a line on invalid rows and one on suspicious rows, each only where there are some."""
        counts = ((self.invalid, "left out"), (self.suspicious, "are odd"))
        return [
            f"{len(issues)} of {self.num_rows} rows {state}: {_examples(issues)}" for issues, state in counts if issues
        ]

    def check(self, *, max_fraction: float, name: str, setting: str) -> None:
        """Raise DataError if more than `max_fraction` of the rows are invalid; `setting` names that limit."""
        if self.invalid and len(self.invalid) > max_fraction * self.num_rows:
            raise DataError(
                f"{name}: more than {max_fraction:.2%} of the rows are broken ({setting}): {self.warnings()[0]}"
            )


@dataclass(frozen=True)
class Corpus:
    """Dialogues by id in the order of the file, and the ids of each split as listed."""

    dialogues: Mapping[str, Dialogue]
    splits: Mapping[Split, tuple[str, ...]]
    digest: str  # of everything that was read, so that equal digests mean equal data
    origin: str = "a corpus in memory"  # for messages
    # few-shot ids of train and dev, by the fraction as text, where the corpus brings such lists
    few_shot: Mapping[str, Mapping[Split, tuple[str, ...]]] = field(default_factory=dict)
    row_reports: Mapping[str, RowReport] = field(default_factory=dict)  # by file
    num_excluded: Mapping[str, int] = field(default_factory=dict)  # rows left out by configuration, by the reason


class Reader(ABC):
    """A source of a corpus."""

    @abstractmethod
    def read(self) -> Corpus:
        """Read the corpus; raises DataError for files that are missing or broken."""


def _examples(issues: Sequence[RowIssue]) -> str:
    """Describe a few issues, one of each kind, naming each path once; the number of others; and the remedies."""
    kinds: dict[tuple[str, str], list[RowIssue]] = {}
    for issue in issues:
        kinds.setdefault((issue.path, issue.reason), []).append(issue)
    examples = list(kinds.values())[:_NUM_SHOWN]
    parts = [
        f"{path}, " + "; ".join(_lines(kind) for kind in group)
        for path, group in groupby(examples, key=lambda kind: kind[0].path)
    ]
    num_more = len(issues) - sum(map(len, examples))
    remedies = dict.fromkeys(kind[0].remedy for kind in examples if kind[0].remedy)
    return ". ".join(["; ".join([*parts, *([f"and {num_more} more"] if num_more else [])]), *remedies])


def _lines(issues: Sequence[RowIssue]) -> str:
    """Describe the lines of rows with one reason."""
    lines = [issue.line for issue in issues]
    if len(lines) > 1 and lines == list(range(lines[0], lines[-1] + 1)):
        return f"lines {lines[0]} to {lines[-1]}: {issues[0].reason}"
    return f"line {lines[0]}{f' and {len(lines) - 1} more' if len(lines) > 1 else ''}: {issues[0].reason}"
