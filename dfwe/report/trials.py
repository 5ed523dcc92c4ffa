"""Read the trials of a search, and the lines between pairs of experts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfwe.errors import DataError
from dfwe.io.strict_json import read_json_lines

SETTING_PREFIX = "method."  # of names of tuned settings


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


@dataclass(frozen=True)
class ExpertPath:
    """Hold dev scores, fractions, of mixtures of two experts; `shares` are the second's, rising.

    A score that is undefined is left out.
    """

    first: str
    second: str
    shares: tuple[float, ...]
    scores: tuple[float, ...]

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> ExpertPath:
        """Read one of the results' `interpolations`."""
        defined = [point for point in record["points"] if point["dev"] is not None]
        points = sorted((float(point["share"]), float(point["dev"])) for point in defined)
        shares, scores = (tuple(point[place] for point in points) for place in (0, 1))
        return cls(record["a"], record["b"], shares, scores)

    @property
    def losses(self) -> tuple[float, ...] | None:
        """Distances of the scores below the straight line between the ends; None where an end is undefined."""
        if self.shares[:1] != (0.0,) or self.shares[-1:] != (1.0,):
            return None
        start, end = self.scores[0], self.scores[-1]
        straight = [start + share * (end - start) for share in self.shares]  # exact where both ends are equal
        return tuple(line - score for line, score in zip(straight, self.scores, strict=True))

    @property
    def barrier(self) -> float | None:
        """The most by which a mixture scores less than the straight line between the two experts; 0 where none does.

        Entezari et al. (2022), The Role of Permutation Invariance in Linear Mode Connectivity, equation 1, with scores
        in place of losses, at these shares alone: max over s of (1 - s) f(0) + s f(1) - f(s). Frankle et al. (2020),
        Linear Mode Connectivity, have the ends' mean in place of the line. None where an end is undefined.
        """
        return None if self.losses is None else max(0.0, *self.losses)
