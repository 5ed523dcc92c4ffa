"""What every reader gives: dialogues, their splits, and a digest of what was read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dfwe.records import Split

Dialogue = Mapping[str, Any]  # the JSON object of a dialogue in the TLiDB format


@dataclass(frozen=True)
class Corpus:
    """Dialogues by id in the order of the file, and the ids of each split as listed."""

    dialogues: Mapping[str, Dialogue]
    splits: Mapping[Split, tuple[str, ...]]
    digest: str  # of everything that was read, so that equal digests mean equal data
    origin: str = "a corpus in memory"  # where it was read from, for messages


class Reader(ABC):
    """A place that a corpus can be read from."""

    @abstractmethod
    def read(self) -> Corpus:
        """The corpus; raises DataError where files are missing or broken."""
