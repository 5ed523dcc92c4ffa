"""Freeing space: results that nobody uses, by age and size."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dfwe.store.inventory import GONE, Item, inventory
from dfwe.store.locks import FOLDER, locked_if_free
from dfwe.store.uses import gate, used

DAY, GB = 86_400.0, 1e9


@dataclass(frozen=True)
class Limits:
    """What is too old (days) or too large (GB), and how much may stay in all (GB, the oldest go first); None: any."""

    older_than: float | None = None
    larger_than: float | None = None
    keep_size: float | None = None

    def chosen(self, items: Sequence[Item]) -> list[Item]:
        """The items to delete, of these in order of age, the oldest first."""
        left = sum(item.num_bytes for item in items)
        found = []
        for item in items:
            old = self.older_than is not None and item.age > self.older_than * DAY
            large = self.larger_than is not None and item.num_bytes > self.larger_than * GB
            if old or large or (self.keep_size is not None and left > self.keep_size * GB):
                found.append(item)
                left -= item.num_bytes
        return found


def prune(root: Path, *, limits: Limits, dry_run: bool) -> tuple[list[Item], list[Item]]:
    """The items that were deleted (would be, in a dry run), and those that were not since a process uses them.

    In use is what a running process found, made or plans to, and what one is making. A process that begins to use
    something waits while names are taken away; files are deleted after that.
    """
    with gate(root):
        names = used(root)
        items = inventory(root)
        busy = {item.folder for item in items if item.name in names or not _take(root, item, dry_run=True)}
        chosen = limits.chosen(items)
        free = [item for item in chosen if item.folder not in busy]
        gone = [item for item in free if _take(root, item, dry_run=dry_run)]
    if not dry_run:
        for item in gone:
            shutil.rmtree(_away(item))
    return gone, [item for item in chosen if item not in gone]


def _take(root: Path, item: Item, *, dry_run: bool) -> bool:
    """Whether nobody holds the item's lock; then it is renamed, unless in a dry run."""
    with locked_if_free(root / FOLDER / f"{item.name}.lock") as free:
        if free and not dry_run and item.folder != _away(item):
            shutil.rmtree(_away(item), ignore_errors=True)
            item.folder.rename(_away(item))
        return free


def _away(item: Item) -> Path:
    folder = item.folder
    return folder if folder.suffix == GONE else folder.with_name(folder.name + GONE)
