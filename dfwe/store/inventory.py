"""What lies in a store: each result, finished or not, with its size and age."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dfwe.errors import StoreError
from dfwe.store.card import Card
from dfwe.store.store import CORRUPT, PARTIAL

GONE = ".gone"  # taken away, not yet deleted
_RESULT = re.compile(r"[a-z]\w*-[0-9a-f]{16}(\.partial|\.corrupt)?(\.gone)?")


@dataclass(frozen=True)
class Item:
    """A folder of the store. `age` is in seconds since something was last written there, `num_bytes` of all files."""

    folder: Path
    kind: str
    title: str
    state: str  # finished, unfinished, set aside, being deleted, unknown
    num_bytes: int
    age: float

    @property
    def name(self) -> str:
        """The result's name, whatever its state: what its lock and its users call it."""
        return self.folder.name.split(".")[0]


def inventory(root: Path) -> list[Item]:
    """Every result, the oldest first.

    Raises:
        StoreError: there is no such folder.
    """
    if not root.is_dir():
        raise StoreError(f"there is no store at {root}: say --store FOLDER, the studies' paths.store")
    return sorted(_items(root), key=lambda item: -item.age)


def _items(root: Path) -> Iterator[Item]:
    now = time.time()
    for folder in sorted(root.iterdir()):
        if not folder.is_dir() or not _RESULT.fullmatch(folder.name):  # what is no result is none of our business
            continue
        try:
            stats = [path.stat() for path in (folder, *folder.rglob("*"))]
        except FileNotFoundError:  # somebody renames or deletes it just now
            continue
        num_bytes = sum(stat.st_size for stat in stats[1:])
        state, title = _state_and_title(folder)
        newest = max(stat.st_mtime for stat in stats)
        yield Item(folder, folder.name.split("-")[0], title, state, num_bytes, max(0.0, now - newest))


def _state_and_title(folder: Path) -> tuple[str, str]:
    states = {PARTIAL: "unfinished", CORRUPT: "set aside", GONE: "being deleted"}
    if folder.suffix in states:
        return states[folder.suffix], ""
    try:
        return "finished", Card.read(folder).title
    except StoreError:
        return "unknown", ""
