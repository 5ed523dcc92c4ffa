"""Candidates' evaluations: each made once, journalled, and found again by a resumed search."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from dfwe.errors import SearchError
from dfwe.records import Coefficients, Evaluation, Stopped, StoppedTrial, Trial, TrialKind
from dfwe.search.journal import Journal


@dataclass(frozen=True, eq=False)
class Found:
    """What the evaluation of a candidate gave, and the seconds that it took."""

    evaluation: Evaluation | Stopped
    seconds: float


Race = Callable[[Coefficients, Evaluation], Evaluation | Stopped]
Listener = Callable[[Trial | StoppedTrial], None]
Alone = Callable[[Coefficients, Evaluation | None], Found]  # one candidate here and now, raced against that evaluation
Together = Callable[[Sequence[Coefficients], Evaluation | None, Alone], Iterator[Found]]
"""Evaluates several candidates as `Alone` does, here or elsewhere; gives them in their order."""

_REMEDY = "delete trials.jsonl and predictions.jsonl, or search in another folder"


def one_after_another(asked: Sequence[Coefficients], best: Evaluation | None, alone: Alone, /) -> Iterator[Found]:
    """Here, each when it is asked for."""
    for coefficients in asked:
        yield alone(coefficients, best)


@dataclass(frozen=True)
class Measure:
    """Turns coefficients into trials: from the journal where it holds them, by an evaluation otherwise.

    `on_trial` hears of each trial, of those from the journal too, so that a resumed search reports all of
    them.
    """

    evaluate: Callable[[Coefficients], Evaluation]
    journal: Journal | None = None
    on_trial: Listener | None = None
    race: Race | None = None
    together: Together = one_after_another

    def trial(self, coefficients: Coefficients, *, number: int, kind: TrialKind) -> Trial:
        """The trial of that number, evaluated in full; errors as in `trials`."""
        (made,) = self.trials([coefficients], number=number, kind=kind, best=None)
        assert isinstance(made, Trial)
        return made

    def trials(
        self, asked: Sequence[Coefficients], *, number: int, kind: TrialKind, best: Evaluation | None
    ) -> Iterator[Trial | StoppedTrial]:
        """The trials from that number on, each safe in the journal before `on_trial` hears of it.

        With `best` they are raced: stopped where they can no longer score as that does.

        Raises:
            SearchError: the journal holds another trial under a number, or one that was stopped although it could have
                scored as `best` does, or whose score is needed; or a score is not a number.
        """
        new = [each for place, each in enumerate(asked, number) if self._journalled(place) is None]
        found = self.together(new, best, self._alone)
        for place, coefficients in enumerate(asked, number):
            made = self._journalled(place)
            if made is None:
                made = self._made(coefficients, number=place, kind=kind, found=next(found))
            elif (made.kind, made.coefficients) != (kind, coefficients):
                raise SearchError(
                    f"the journal belongs to another search: its trial {place} is {made.kind} at "
                    f"{made.coefficients.as_dict()}, this search's is {kind} at {coefficients.as_dict()}; {_REMEDY}"
                )
            if isinstance(made, StoppedTrial):
                _check_stopped(made, best=best)
            if self.on_trial:
                self.on_trial(made)
            yield made

    def _journalled(self, number: int) -> Trial | StoppedTrial | None:
        return self.journal.get(number) if self.journal else None

    def _alone(self, coefficients: Coefficients, best: Evaluation | None) -> Found:
        start = time.perf_counter()
        found: Evaluation | Stopped
        if best is None:
            found = self.evaluate(coefficients)
        else:
            assert self.race is not None
            found = self.race(coefficients, best)
        return Found(found, time.perf_counter() - start)

    def _made(self, coefficients: Coefficients, *, number: int, kind: TrialKind, found: Found) -> Trial | StoppedTrial:
        trial: Trial | StoppedTrial
        if isinstance(found.evaluation, Stopped):
            trial = StoppedTrial(number, kind, coefficients, found.evaluation, seconds=found.seconds)
        else:
            trial = Trial(number, kind, coefficients, found.evaluation, seconds=found.seconds)
            check_score(trial)
        if self.journal:
            self.journal.append(trial)
        return trial


class Afterwards:
    """Makes trials when a search is over, numbered behind its own (`last` is its highest number), each in full."""

    def __init__(self, measure: Measure, *, last: int) -> None:
        self._measure, self._last = measure, last
        self.made: list[Trial] = []

    def __call__(self, coefficients: Coefficients, kind: TrialKind) -> Trial:
        """The next trial; errors as of `Measure.trials`."""
        number = self._last + 1 + len(self.made)
        self.made.append(self._measure.trial(coefficients, number=number, kind=kind))
        return self.made[-1]


def _check_stopped(trial: StoppedTrial, *, best: Evaluation | None) -> None:
    number, bound = trial.number, trial.evaluation.bound
    if best is None:
        raise SearchError(
            f"the journal belongs to another search: its trial {number} was stopped, but this search needs its "
            f"score; {_REMEDY}"
        )
    if not bound < best.score:
        raise SearchError(
            f"the journal belongs to another search: its trial {number} was stopped although it could score "
            f"{bound}, and the best before it scores {best.score}; {_REMEDY}"
        )


def check_score(trial: Trial) -> None:
    """Raises SearchError where the score is not a finite number."""
    if not math.isfinite(trial.evaluation.score):
        raise SearchError(
            f"the dev score of trial {trial.number} ({trial.kind}) at {trial.coefficients.as_dict()} is "
            f"{trial.evaluation.score}: a search needs a number; look at the metric and the model's outputs"
        )
