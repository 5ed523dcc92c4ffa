"""Scores as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

UNDEFINED = "undefined"


def times_100(score: float | None) -> str:
    """The fraction times 100 with one decimal; in words where the metric has no value (a correlation of constants)."""
    return UNDEFINED if score is None else f"{100 * score:.1f}"


def rank_by_dev(row: Mapping[str, Any]) -> float:
    """What a model's row is sorted by: its dev score, an undefined one as the lowest."""
    score: float | None = row["dev"]["score"]
    return -1.0 if score is None else score
