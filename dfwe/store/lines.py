"""Entries of a store as its command prints them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence

from dfwe.controls import in_one_line
from dfwe.store.inventory import StoreItem
from dfwe.store.prune import DAY


def lines_of(items: Sequence[StoreItem]) -> list[str]:
    """Return name, state, size, age and title of each; at a narrow terminal the title has a line of its own."""
    cells = [
        (item.folder.name, item.state, f"{item.num_bytes / 1e6:.1f} MB", f"{item.age / DAY:.1f} days") for item in items
    ]
    widths = [max((len(row[column]) for row in cells), default=0) for column in range(4)]
    lines = []
    for item, (name, state, size, age) in zip(items, cells, strict=True):
        start = f"{name:{widths[0]}}  {state:{widths[1]}}  {size:>{widths[2]}}  {age:>{widths[3]}}"
        title = in_one_line(item.title)
        wide = f"{start}  {title}".rstrip()
        lines += [start, f"  {title}"] if title and len(wide) > _line_width() else [wide]
    return lines


def _line_width() -> int:
    """Return the letters of a terminal's line; a pipe has lines of any length."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize


def total(items: Sequence[StoreItem], what: str = "") -> str:
    """Return how many results, and how large; `what` is told of them."""
    size = sum(item.num_bytes for item in items) / 1e9
    return f"{num(len(items))}{what and ' ' + what}, {size:.3f} GB"


def num(count: int) -> str:
    """Return `1 result`, `2 results`."""
    return f"{count} {'result' if count == 1 else 'results'}"
