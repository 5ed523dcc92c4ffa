"""The command that frees space: it lists what would go, asks, and wants a word for more than half of the store."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from dfwe.errors import StoreError
from dfwe.store.inventory import StoreItem, inventory
from dfwe.store.lines import lines_of, total
from dfwe.store.prune import Limits, prune

WORD = "delete"  # to type where more than half goes


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
