"""Budgets beside the number of evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dfwe.errors import SearchError
from dfwe.records import StoppedTrial, Trial


@dataclass(frozen=True)
class Limits:
    """How long a search may evaluate, and how many passes over the dev split it may make; None for no limit.

    No candidate is begun once a limit is reached: the last one may exceed it. The start is always evaluated. Seconds
    are those of the trials' evaluations, journalled ones among them, so that a search that was killed has no more time
    than one that was not. Dev passes count answered instances: a stopped trial counts for its share.

    Raises:
        SearchError: a limit is not above 0.
    """

    seconds: float | int | None = None
    dev_passes: float | int | None = None

    def __post_init__(self) -> None:
        for name, limit in (("seconds", self.seconds), ("dev_passes", self.dev_passes)):
            if limit is not None and not limit > 0:
                raise SearchError(f"merge.limits.{name} must be above 0, or null for no limit, not {limit}")

    def reached(self, made: Sequence[Trial | StoppedTrial]) -> str | None:
        """The limit that the evaluated trials have reached, in words; None where there is none."""
        seconds, passes = sum(trial.seconds for trial in made), sum(map(dev_passes, made))
        if self.seconds is not None and seconds >= self.seconds:
            return f"{self.seconds:g} seconds"
        if self.dev_passes is not None and passes >= self.dev_passes - 1e-9:  # shares do not sum to whole numbers
            return f"{self.dev_passes:g} dev passes"
        return None


def dev_passes(trial: Trial | StoppedTrial) -> float:
    """The share of the dev split that a trial answered; 1 unless it was stopped."""
    if isinstance(trial, Trial):
        return 1.0
    return trial.evaluation.num_answered / len(trial.evaluation.predictions)
