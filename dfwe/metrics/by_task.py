"""Scores of a mean of tasks, task by task."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np


def scores_by_task(metrics: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return each task's score from metrics named `task/metric`: the mean of its metrics; None where undefined."""
    values: dict[str, list[float | None]] = {}
    for name, value in metrics.items():
        values.setdefault(name.split("/")[0], []).append(value)
    return {task: mean_if_defined(of_task) for task, of_task in values.items()}


def mean_if_defined(values: Sequence[float | None]) -> float | None:
    """Return the mean; None where a value is undefined."""
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if len(defined) == len(values) else None


def binned_errors(
    predicted: Sequence[float], *, gold: Sequence[float], edges: Sequence[float]
) -> list[dict[str, float | int | None]]:
    """Return the mean squared error by bins of the gold number, from each edge to below the next.

    The last bin includes its end.
    """
    errors, numbers = (np.asarray(predicted) - np.asarray(gold)) ** 2, np.asarray(gold)
    bins = []
    for place, (low, high) in enumerate(itertools.pairwise(edges)):
        inside = (numbers >= low) & ((numbers <= high) if place == len(edges) - 2 else (numbers < high))
        error = float(errors[inside].mean()) if inside.any() else None
        bins.append({"low": low, "high": high, "n": int(inside.sum()), "squared_error": error})
    return bins
