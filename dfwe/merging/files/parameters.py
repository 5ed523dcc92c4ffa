"""Resolve a recipe's parameters for a tensor: a number, a gradient over the layers, or {filter, value} by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from dfwe.errors import MergeError
from dfwe.merging.base import TensorInfo


def resolve_parameter(setting: Any, *, tensor: TensorInfo, label: str) -> float | bool | None:
    """Return the setting's value for the tensor; None if none of its filters is part of the tensor's name.

    A list of numbers is interpolated over the depth. `label` names the setting in messages.

    Raises:
        MergeError: the setting has another form, or is not a finite number.
    """
    if isinstance(setting, Mapping):
        setting = [setting]
    if not isinstance(setting, list):
        return None if setting is None else _scalar(setting, label=label)
    if setting and not any(isinstance(entry, Mapping) for entry in setting):
        return _between([_scalar(entry, label=label) for entry in setting], depth=tensor.depth)
    for entry in setting:
        if not isinstance(entry, Mapping) or "value" not in entry or not entry.keys() <= {"value", "filter"}:
            raise MergeError(f"{label}: a list must have numbers, or entries with `value` and `filter`, not {entry}")
        if entry.get("filter") in (None, "*") or str(entry["filter"]) in tensor.name:
            return resolve_parameter(entry["value"], tensor=tensor, label=label)
    return None


def _between(points: list[float | bool], *, depth: float) -> float | bool:
    position = depth * (len(points) - 1)
    left = int(position)
    if any(isinstance(point, bool) for point in points):
        return points[left]
    right, share = min(left + 1, len(points) - 1), position - left
    return (1.0 - share) * points[left] + share * points[right]


def _scalar(setting: Any, *, label: str) -> float | bool:
    """Return true, false, or a finite number; YAML reads 1e-3 as text."""
    if isinstance(setting, bool):
        return setting
    try:
        number = float(setting)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise MergeError(f"{label} must be a number, true or false, not {setting!r}")
    return number
