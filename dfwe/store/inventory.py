"""What lies in a store: each result, finished or not, with its size and age."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dfwe.errors import StoreError
from dfwe.store.card import CARD, FORMAT, Card, NewerFormatError
from dfwe.store.store import CORRUPT, PARTIAL

GONE = ".gone"  # taken away, not yet deleted
FINISHED, DAMAGED, NEWER, OLDER, LINK = "finished", "damaged", "newer", "older", "link"
_STATES = {PARTIAL: "unfinished", CORRUPT: "set aside", GONE: "being deleted"}
_RESULT = re.compile(r"[a-z]\w*-[0-9a-f]{16}(\.partial|\.corrupt)?(\.gone)?")


@dataclass(frozen=True)
class StoreItem:
    """An entry of the store. `age` is in seconds since something was last written there, `num_bytes` of all files.

    `title` is what was read while it was made; of an entry whose card cannot be read, why.
    """

    folder: Path
    kind: str
    title: str
    state: str  # finished, unfinished, set aside, being deleted, newer, older, damaged, link
    num_bytes: int
    age: float

    @property
    def name(self) -> str:
        """The result's name, whatever its state: what its lock and its users call it."""
        return self.folder.name.split(".")[0]


def inventory(root: Path) -> list[StoreItem]:
    """Every result, the oldest first.

    Raises:
        StoreError: there is no such folder.
    """
    if not root.is_dir():
        condition = "is a file, not a store" if root.exists() else "is not there"
        raise StoreError(f"{root} {condition}: set --store to the studies' paths.store")
    return sorted(_items(root), key=lambda item: -item.age)


def _items(root: Path) -> Iterator[StoreItem]:
    now = time.time()
    for folder in sorted(root.iterdir()):
        if not _RESULT.fullmatch(folder.name):  # what is not a result is none of our business
            continue
        if not folder.is_symlink() and not folder.is_dir():
            continue
        try:
            paths = [folder] if folder.is_symlink() else [folder, *folder.rglob("*")]
            stats = [path.lstat() for path in paths]
        except FileNotFoundError:  # somebody renames or deletes it just now
            continue
        state, title = _state_and_title(folder)
        newest = max(stat.st_mtime for stat in stats)
        num_bytes = sum(stat.st_size for stat in stats[1:])
        yield StoreItem(folder, folder.name.split("-")[0], title, state, num_bytes, max(0.0, now - newest))


def _state_and_title(folder: Path) -> tuple[str, str]:
    if folder.is_symlink():
        return LINK, "a link, which is left alone"
    if folder.suffix in _STATES:
        return _STATES[folder.suffix], ""
    try:
        card = Card.read(folder)
        return OLDER if card.format < FORMAT else FINISHED, card.title
    except NewerFormatError:
        return NEWER, "made by a newer version of dfwe, which is left alone"
    except StoreError as error:
        return DAMAGED, str(error).removeprefix(f"{folder / CARD}").lstrip(":, ")
