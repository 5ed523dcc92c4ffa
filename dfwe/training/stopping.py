"""Which epoch to keep, and when to stop: a pure function of the scores so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Criterion = Literal["target", "own", "last"]
RULE = 2  # raised when `choose_epoch` keeps or stops otherwise: what was trained before has another name in the store


@dataclass(frozen=True)
class EpochScores:
    """Dev scores after one epoch: on the target, and on the expert's own source task where that is another."""

    target: float | None
    own: float | None


@dataclass(frozen=True)
class Choice:
    """The epoch to keep so far (from 0), by which criterion, whether the target told nothing, and whether to stop."""

    epoch: int
    criterion: Criterion
    fell_back: bool
    stop: bool


def choose_epoch(history: Sequence[EpochScores], *, stop_on: Criterion, patience: int) -> Choice:
    """Return the best epoch so far (of equals the latest), and whether `patience` epochs without a gain have passed.

    A tie is no gain, or a plateau would last until the cap; only before the first gain it is one, for a model that
    answers one label to everything for some epochs may still begin to learn.

    `stop_on` `target` is the paper's ("until convergence on the metric of t"). A target score that has been the same in
    every epoch (two at least) says nothing: the expert's own score decides instead. `last` keeps the last epoch.
    """
    last = len(history) - 1
    if stop_on == "last":
        return Choice(epoch=last, criterion="last", fell_back=False, stop=False)
    criterion, fell_back = _criterion(history, stop_on=stop_on)
    best = best_epoch(history, criterion=criterion)
    stop = last - _last_gain(history, criterion=criterion) >= patience
    return Choice(epoch=best, criterion=criterion, fell_back=fell_back, stop=stop)


def best_epoch(history: Sequence[EpochScores], *, criterion: Criterion) -> int:
    """Return the latest of the epochs with the highest score by that criterion; the last epoch for `last`."""
    if criterion == "last":
        return len(history) - 1
    scores = [_score(epoch, criterion) for epoch in history]
    return max(range(len(scores)), key=lambda i: (scores[i], i))


def _last_gain(history: Sequence[EpochScores], *, criterion: Criterion) -> int:
    """Return the first epoch with the highest score; the latest where the first epoch of all has it, too."""
    scores = [_score(epoch, criterion) for epoch in history]
    first = scores.index(max(scores))
    return first if first > 0 else best_epoch(history, criterion=criterion)


def _criterion(history: Sequence[EpochScores], *, stop_on: Criterion) -> tuple[Criterion, bool]:
    if history[-1].own is None:
        return "target", False
    constant = len(history) > 1 and len({epoch.target for epoch in history}) == 1
    if stop_on == "target" and constant:
        return "own", True
    return stop_on, False


def _score(epoch: EpochScores, criterion: Criterion) -> float:
    score = epoch.own if criterion == "own" else epoch.target
    assert score is not None, f"no {criterion} score to stop on"
    return score
