"""A recipe's parameters: a number, a gradient over the layers, or a list of {filter, value} by tensor name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from dfwe.errors import MergeError
from dfwe.merging.place import Place


def value(setting: Any, *, at: Place, whose: str) -> float | bool | None:
    """What the setting is there, None where none of its filters is part of the tensor's name.

    A list of numbers is interpolated over the depth. `whose` says in messages what is set.

    Raises:
        MergeError: the setting is of another form, or no finite number.
    """
    if isinstance(setting, Mapping):
        setting = [setting]
    if not isinstance(setting, list):
        return None if setting is None else _scalar(setting, whose=whose)
    if setting and not any(isinstance(entry, Mapping) for entry in setting):
        return _between([_scalar(entry, whose=whose) for entry in setting], depth=at.depth)
    for entry in setting:
        if not isinstance(entry, Mapping) or "value" not in entry or not entry.keys() <= {"value", "filter"}:
            raise MergeError(f"{whose}: a list must have numbers, or entries with `value` and `filter`, not {entry}")
        if entry.get("filter") in (None, "*") or str(entry["filter"]) in at.tensor:
            return value(entry["value"], at=at, whose=whose)
    return None


def _between(points: list[float | bool], *, depth: float) -> float | bool:
    position = depth * (len(points) - 1)
    left = int(position)
    if any(isinstance(point, bool) for point in points):
        return points[left]
    right, share = min(left + 1, len(points) - 1), position - left
    return (1.0 - share) * points[left] + share * points[right]


def _scalar(setting: Any, *, whose: str) -> float | bool:
    """True, false, or a finite number; YAML takes 1e-3 for text."""
    if isinstance(setting, bool):
        return setting
    try:
        number = float(setting)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise MergeError(f"{whose} must be a number, true or false, not {setting!r}")
    return number
