"""Read the trials of a search."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfwe.errors import DataError
from dfwe.io.strict_json import read_json_lines
from dfwe.search.space import SETTING_PREFIX


@dataclass(frozen=True)
class SearchTrial:
    """Hold one candidate; a pruned one has no score but a bound that it cannot exceed. Scores are fractions."""

    number: int
    kind: str
    coefficients: Mapping[str, float]
    score: float | None
    bound: float | None = None
    seconds: float | None = None


def read_trials(path: Path) -> tuple[SearchTrial, ...]:
    """Read a journal's trials in their order, without the answers; none where there is no file.

    Raises:
        DataError: a line that is not a trial.
    """
    if not path.exists():
        return ()
    trials = []
    for number, record in read_json_lines(path):
        try:
            trials.append(_trial(record))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{path}, line {number}: this is not a trial of a search ({error!r})") from error
    return tuple(trials)


def on_simplex(trials: Sequence[SearchTrial]) -> bool:
    """Check that every trial has one share per expert: none negative, together one, nothing else searched."""
    return all(
        not any(name.startswith(SETTING_PREFIX) or "/" in name for name in trial.coefficients)
        and all(value >= -1e-9 for value in trial.coefficients.values())
        and math.isclose(sum(trial.coefficients.values()), 1.0, abs_tol=1e-6)
        for trial in trials
    )


def _trial(record: Mapping[str, Any]) -> SearchTrial:
    coefficients = {str(name): float(value) for name, value in record["coefficients"].items()}
    score, bound, seconds = (
        None if record.get(key) is None else float(record[key]) for key in ("score", "bound", "seconds")
    )
    return SearchTrial(int(record["number"]), str(record["kind"]), coefficients, score, bound, seconds)
