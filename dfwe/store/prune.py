"""Free space: delete results that nobody uses, by age and size; list what goes, and ask before."""

from __future__ import annotations

import argparse
import math
import shutil
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from dfwe.errors import StoreError
from dfwe.io.files import output_errors
from dfwe.store.inventory import DAY, GONE, LINK, NEWER, OLDER, StoreItem, inventory, lines_of, total
from dfwe.store.locks import FOLDER, gate, locked_if_free, used

GB = 1e9
WORD = "delete"  # to type where more than half goes
_LEFT_ALONE = (LINK, NEWER)


@dataclass(frozen=True)
class Limits:
    """What is too old (days) or too large (GB), and how much may stay in all (GB, the oldest go first); None: any.

    With `older_format` what an older version made goes, too.
    """

    older_than: float | None = None
    larger_than: float | None = None
    keep_size: float | None = None
    older_format: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not 0 <= value < math.inf:
                option = f"--{field.name.replace('_', '-')}"
                raise StoreError(f"{option} must be a number that is 0 or more, not {value:g}")

    def selected(self, items: Sequence[StoreItem], *, busy: Collection[Path] = ()) -> list[StoreItem]:
        """The items to delete, of these in order of age, the oldest first; those of busy folders free nothing."""
        left = sum(item.num_bytes for item in items)
        found = []
        for item in items:
            old = self.older_than is not None and item.age > self.older_than * DAY
            large = self.larger_than is not None and item.num_bytes > self.larger_than * GB
            unused = self.older_format and item.state == OLDER
            if old or large or unused or (self.keep_size is not None and left > self.keep_size * GB):
                found.append(item)
                left -= 0 if item.folder in busy else item.num_bytes
        return found


@dataclass(frozen=True)
class Pruned:
    """What goes, or would; what stays since a process uses it; of `gone`, what could not be deleted, and why."""

    gone: tuple[StoreItem, ...]
    busy: tuple[StoreItem, ...]
    failed: tuple[str, ...] = ()


def prune(root: Path, *, limits: Limits, dry_run: bool, only: Collection[Path] | None = None) -> Pruned:
    """Delete what the limits choose, of `only` these folders where they are given; in a dry run nothing.

    In use is what a running process found, made or plans to, and what one is making. A process that begins to use
    something waits while names are taken away; files are deleted after that. Links, and results of a newer version, are
    left alone.

    Raises:
        StoreError: the store is not there.
        OutputError: it cannot be written.
    """
    with output_errors(root, below=root), gate(root):
        names = used(root)
        items = [item for item in inventory(root) if item.state not in _LEFT_ALONE]
        busy = {item.folder for item in items if item.name in names or not _take(root, item, dry_run=True)}
        selected = [item for item in limits.selected(items, busy=busy) if only is None or item.folder in only]
        free = [item for item in selected if item.folder not in busy]
        gone = [item for item in free if _take(root, item, dry_run=dry_run)]
    failed = [] if dry_run else [words for item in gone if (words := _delete(_away(item)))]
    return Pruned(tuple(gone), tuple(item for item in selected if item not in gone), tuple(failed))


def _delete(folder: Path) -> str | None:
    """Delete a folder of ours; return why where that cannot be."""
    try:
        shutil.rmtree(folder)
    except OSError as error:
        return f"{folder} cannot be deleted: {error.strerror or error}"
    return None


def _take(root: Path, item: StoreItem, *, dry_run: bool) -> bool:
    """Return whether nobody holds the item's lock; then it is renamed, unless in a dry run."""
    with locked_if_free(root / FOLDER / f"{item.name}.lock") as free:
        if free and not dry_run and item.folder != _away(item):
            shutil.rmtree(_away(item), ignore_errors=True)
            item.folder.rename(_away(item))
        return free


def _away(item: StoreItem) -> Path:
    folder = item.folder
    return folder if folder.suffix == GONE else folder.with_name(folder.name + GONE)


def run_prune(arguments: argparse.Namespace) -> None:
    """List what would go, ask, and delete it.

    Raises:
        StoreError: no limits or impossible ones, nobody there to ask, or something that could not be deleted.
    """
    limits = Limits(arguments.older_than, arguments.larger_than, arguments.keep_size, arguments.older_format)
    if limits == Limits():
        raise StoreError(
            "nothing says what to delete: --older-than DAYS, --larger-than GB, --keep-size GB or --older-format"
        )
    plan = prune(arguments.store, limits=limits, dry_run=True)
    print(*lines_of(plan.gone), sep="\n")
    print(total(plan.gone, "would be deleted"))
    if plan.gone and not arguments.dry_run:
        _check_wanted(arguments, share=_share(plan.gone, of=inventory(arguments.store)))
        plan = prune(arguments.store, limits=limits, dry_run=False, only={item.folder for item in plan.gone})
        print(total(plan.gone, "deleted"))
    if plan.busy:
        print(f"{total(plan.busy)} stay: a process uses them")
    if plan.failed:
        raise StoreError("; ".join(plan.failed))


def _share(items: Sequence[StoreItem], *, of: Sequence[StoreItem]) -> float:
    """Return which part of the store goes, by number or by size, whichever is more."""
    size = sum(item.num_bytes for item in of)
    by_size = sum(item.num_bytes for item in items) / size if size else 0.0
    return max(by_size, len(items) / max(1, len(of)))


def _check_wanted(arguments: argparse.Namespace, *, share: float) -> None:
    """Check that the user wants it: by an option, or by an answer where a person sits at the terminal."""
    most = share > 0.5
    text = f"this is {100 * share:.0f} % of the store"
    if arguments.yes:
        if most and not arguments.above_half:
            raise StoreError(f"{text}, and nothing was deleted: add --above-half to --yes, or choose narrower limits")
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        needed = "--yes --above-half" if most else "--yes"
        raise StoreError(f"nobody is there to ask, and nothing was deleted: add {needed} to delete, or --dry-run")
    question = f"{text.capitalize()}. Type {WORD} to delete it: " if most else "Delete? [y/N] "
    if input(question).strip().lower() not in ((WORD,) if most else ("y", "yes")):
        raise StoreError("nothing was deleted")
