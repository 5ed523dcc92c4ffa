"""What every reader gives: dialogues (or rows), their splits, and a digest of what was read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dfwe.data.bad_rows import Rows
from dfwe.records import Split

# The JSON object of a dialogue in the TLiDB format; of a table, an object with the rows of one group under "rows".
Dialogue = Mapping[str, Any]


@dataclass(frozen=True)
class Corpus:
    """Dialogues by id in the order of the file, and the ids of each split as listed."""

    dialogues: Mapping[str, Dialogue]
    splits: Mapping[Split, tuple[str, ...]]
    digest: str  # of everything that was read, so that equal digests mean equal data
    origin: str = "a corpus in memory"  # where it was read from, for messages
    # few-shot ids of train and dev, by the share as text, where the corpus brings such lists
    few_shot: Mapping[str, Mapping[Split, tuple[str, ...]]] = field(default_factory=dict)
    rows: Mapping[str, Rows] = field(default_factory=dict)  # of each file of rows: how many, and which are bad
    left_out: Mapping[str, int] = field(default_factory=dict)  # rows left out on purpose, by the reason


class Reader(ABC):
    """A place that a corpus can be read from."""

    @abstractmethod
    def read(self) -> Corpus:
        """The corpus; raises DataError where files are missing or broken."""
