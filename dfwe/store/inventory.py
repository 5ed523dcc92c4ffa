"""List what lies in a store: each result, finished or not, with its size and age."""

from __future__ import annotations

import logging
import re
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfwe.controls import in_one_line
from dfwe.errors import StoreError
from dfwe.store.card import CARD, FORMAT, Card, NewerFormatError, UnreadableError
from dfwe.store.store import CORRUPT, PARTIAL

log = logging.getLogger(__name__)

DAY = 86_400.0  # seconds
_SEEN = "format"  # a file beside the results: the format that the store was last looked through for
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

    def record(self) -> dict[str, Any]:
        """Return the item as JSON."""
        return {
            "folder": str(self.folder),
            "kind": self.kind,
            "title": self.title,
            "state": self.state,
            "bytes": self.num_bytes,
            "age_seconds": round(self.age, 1),
        }


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
    except (StoreError, UnreadableError) as error:
        return DAMAGED, str(error).removeprefix(f"{folder / CARD}").lstrip(":, ")


def lines_of(items: Sequence[StoreItem]) -> list[str]:
    """Return name, state, size, age and title of each; at a narrow terminal the title has a line of its own."""
    cells = [
        (item.folder.name, item.state, f"{item.num_bytes / 1e6:.1f} MB", f"{item.age / DAY:.1f} days") for item in items
    ]
    widths = [max((len(row[column]) for row in cells), default=0) for column in range(4)]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize  # a pipe's lines have any length
    lines = []
    for item, (name, state, size, age) in zip(items, cells, strict=True):
        start = f"{name:{widths[0]}}  {state:{widths[1]}}  {size:>{widths[2]}}  {age:>{widths[3]}}"
        title = in_one_line(item.title)
        wide = f"{start}  {title}".rstrip()
        lines += [start, f"  {title}"] if title and len(wide) > width else [wide]
    return lines


def total(items: Sequence[StoreItem], what: str = "") -> str:
    """Return how many results, and how large; `what` is told of them."""
    size = sum(item.num_bytes for item in items) / 1e9
    return f"{num(len(items))}{what and ' ' + what}, {size:.3f} GB"


def num(count: int) -> str:
    """Return `1 result`, `2 results`."""
    return f"{count} {'result' if count == 1 else 'results'}"


def warn_of_older(root: Path) -> None:
    """Warn if the store holds results of an older format; look once, since every card must be read."""
    seen = root / _SEEN
    if not root.is_dir() or (seen.is_file() and seen.read_text(errors="replace").strip() == str(FORMAT)):
        return
    older = [item for item in inventory(root) if item.state == OLDER]
    if older:
        log.warning(
            "%s holds %s of an older version, which are made again where they are needed; "
            "`dfwe store prune --older-format --store %s` deletes them",
            root,
            num(len(older)),
            root,
        )
    with suppress(OSError):  # a store that cannot be written is looked through again
        seen.write_text(f"{FORMAT}\n")
