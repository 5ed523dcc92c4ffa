"""Entries of a store as its command prints them."""

from __future__ import annotations

from collections.abc import Sequence

from dfwe.controls import without_controls
from dfwe.store.inventory import Item
from dfwe.store.prune import DAY


def line_of(item: Item) -> str:
    """Return name, state, size, age and title."""
    size, age = f"{item.num_bytes / 1e6:.1f} MB", f"{item.age / DAY:.1f} days"
    return without_controls(f"{item.folder.name:40} {item.state:12} {size:>12} {age:>12}  {item.title}").rstrip()


def total(items: Sequence[Item], what: str = "") -> str:
    """Return how many results, and how large; `what` is told of them."""
    size = sum(item.num_bytes for item in items) / 1e9
    return f"{num(len(items))}{what and ' ' + what}, {size:.3f} GB"


def num(count: int) -> str:
    """Return `1 result`, `2 results`."""
    return f"{count} {'result' if count == 1 else 'results'}"
