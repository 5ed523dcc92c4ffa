"""A mean of tasks, taken apart again."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np


def by_column(metrics: Mapping[str, float | None]) -> dict[str, float | None]:
    """Each task's score from metrics named `column/metric`: the mean of its metrics; None where one is undefined."""
    found: dict[str, list[float | None]] = {}
    for name, value in metrics.items():
        found.setdefault(name.split("/")[0], []).append(value)
    return {column: _mean(values) for column, values in found.items()}


def mean_of(columns: Mapping[str, float | None]) -> float | None:
    """The mean of tasks' scores; None where one is undefined."""
    return _mean(list(columns.values()))


def binned_errors(
    predicted: Sequence[float], *, gold: Sequence[float], edges: Sequence[float]
) -> list[dict[str, float | int | None]]:
    """Mean squared error by bins of the gold number, from each edge to below the next (the last bin has its end)."""
    errors, numbers = (np.asarray(predicted) - np.asarray(gold)) ** 2, np.asarray(gold)
    bins = []
    for place, (low, high) in enumerate(itertools.pairwise(edges)):
        inside = (numbers >= low) & ((numbers <= high) if place == len(edges) - 2 else (numbers < high))
        error = float(errors[inside].mean()) if inside.any() else None
        bins.append({"low": low, "high": high, "n": int(inside.sum()), "squared_error": error})
    return bins


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None
