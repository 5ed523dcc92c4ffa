"""A search's trials as reports read them: a line of `trials.jsonl` each, without the answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfwe.errors import DataError
from dfwe.io.strict_json import read_json_lines

RULE = "rule."  # before the names of a rule's own searched numbers


@dataclass(frozen=True)
class SearchTrial:
    """One candidate; a stopped one has no score but a bound that it cannot exceed. Scores are fractions."""

    number: int
    kind: str
    coefficients: Mapping[str, float]
    score: float | None
    bound: float | None = None
    seconds: float | None = None


def read_trials(path: Path) -> tuple[SearchTrial, ...]:
    """The file's trials in their order; none where there is no file.

    Raises:
        DataError: a line that is no trial.
    """
    if not path.exists():
        return ()
    found = []
    for number, record in read_json_lines(path):
        try:
            found.append(_trial(record))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{path}, line {number}: this is not a trial of a search ({error!r})") from error
    return tuple(found)


def on_simplex(trials: tuple[SearchTrial, ...]) -> bool:
    """Whether every trial has one share for each expert: none negative, together one, nothing else searched."""
    return all(
        not any(name.startswith(RULE) or "/" in name for name in trial.coefficients)
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
