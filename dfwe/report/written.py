"""Settings in words, for pages, tables and W&B: no one reads braces and quotes of another language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def written(value: Any) -> str:
    """Return the value as `key: value, key: value`; what lies deeper stands in brackets."""
    if isinstance(value, Mapping):
        return ", ".join(f"{_words(key)}: {_part(each)}" for key, each in value.items()) or "none"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_part, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return "none" if value is None else str(value)


def _part(value: Any) -> str:
    is_deep = isinstance(value, Mapping | Sequence) and not isinstance(value, str)
    return f"({written(value)})" if is_deep and value else written(value)


def _words(key: object) -> str:
    return str(key).replace("_", " ")
