"""Trials of a search: each evaluated once, journalled, and replayed by a resumed search."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from dfwe.errors import SearchError
from dfwe.records import Coefficients, Evaluation, PartialEvaluation, PrunedTrial, Trial, TrialKind
from dfwe.search.base import AnyTrial
from dfwe.search.journal import Journal


@dataclass(frozen=True, eq=False)
class TimedEvaluation:
    """Evaluation of a candidate, and the seconds it took."""

    evaluation: Evaluation | PartialEvaluation
    seconds: float


EvaluatePruned = Callable[[Coefficients, Evaluation], Evaluation | PartialEvaluation]
OnTrial = Callable[[AnyTrial], None]
# evaluates one candidate in this process, pruned against the evaluation if there is one
EvaluateOne = Callable[[Coefficients, Evaluation | None], TimedEvaluation]
# evaluates several candidates as `EvaluateOne` does, here or elsewhere, and yields in their order
EvaluateBatch = Callable[[Sequence[Coefficients], Evaluation | None, EvaluateOne], Iterator[TimedEvaluation]]

_REMEDY = "delete trials.jsonl and predictions.jsonl, or search in another folder"


def evaluate_in_order(
    candidates: Sequence[Coefficients], best: Evaluation | None, evaluate_one: EvaluateOne, /
) -> Iterator[TimedEvaluation]:
    """Evaluate each candidate in this process when it is needed."""
    for coefficients in candidates:
        yield evaluate_one(coefficients, best)


@dataclass(frozen=True)
class TrialRunner:
    """Turn coefficients into trials: from the journal if it holds them, by an evaluation otherwise.

    `on_trial` is called with each trial, replayed ones included, so that a resumed search reports all of them.
    """

    evaluate: Callable[[Coefficients], Evaluation]
    journal: Journal | None = None
    on_trial: OnTrial | None = None
    evaluate_pruned: EvaluatePruned | None = None
    evaluate_batch: EvaluateBatch = evaluate_in_order

    def run(self, coefficients: Coefficients, *, number: int, kind: TrialKind) -> Trial:
        """Run the trial of that number, evaluated in full; errors as in `run_batch`."""
        (trial,) = self.run_batch([coefficients], number=number, kind=kind, best=None)
        assert isinstance(trial, Trial)
        return trial

    def run_batch(
        self, candidates: Sequence[Coefficients], *, number: int, kind: TrialKind, best: Evaluation | None
    ) -> Iterator[AnyTrial]:
        """Run the trials from that number on, each safe in the journal before `on_trial` is called.

        With `best` they are pruned: stopped once they can no longer score as much as that.

        Raises:
            SearchError: the journal holds another trial under a number, or one that was pruned although it could have
                scored as `best` does, or whose score is needed; or a score is not a number.
        """
        new = [candidate for place, candidate in enumerate(candidates, number) if self._replay(place) is None]
        evaluations = self.evaluate_batch(new, best, self.evaluate_one)
        for place, coefficients in enumerate(candidates, number):
            trial = self._replay(place)
            if trial is None:
                trial = self._record(coefficients, number=place, kind=kind, timed=next(evaluations))
            elif (trial.kind, trial.coefficients) != (kind, coefficients):
                raise SearchError(
                    f"the journal belongs to another search: its trial {place} is {trial.kind} at "
                    f"{trial.coefficients.as_dict()}, this search's is {kind} at {coefficients.as_dict()}; {_REMEDY}"
                )
            if isinstance(trial, PrunedTrial):
                _check_pruned(trial, best=best)
            if self.on_trial:
                self.on_trial(trial)
            yield trial

    def _replay(self, number: int) -> AnyTrial | None:
        return self.journal.get(number) if self.journal else None

    def evaluate_one(self, coefficients: Coefficients, best: Evaluation | None) -> TimedEvaluation:
        """Evaluate the candidate in this process, pruned against `best` if there is one."""
        start = time.perf_counter()
        evaluation: Evaluation | PartialEvaluation
        if best is None:
            evaluation = self.evaluate(coefficients)
        else:
            assert self.evaluate_pruned is not None
            evaluation = self.evaluate_pruned(coefficients, best)
        return TimedEvaluation(evaluation, time.perf_counter() - start)

    def _record(self, coefficients: Coefficients, *, number: int, kind: TrialKind, timed: TimedEvaluation) -> AnyTrial:
        trial: AnyTrial
        if isinstance(timed.evaluation, PartialEvaluation):
            trial = PrunedTrial(number, kind, coefficients, timed.evaluation, seconds=timed.seconds)
        else:
            trial = Trial(number, kind, coefficients, timed.evaluation, seconds=timed.seconds)
            check_score(trial)
        if self.journal:
            self.journal.append(trial)
        return trial


class ExtraTrials:
    """Run trials after a search, in full, with numbers after its last one (`last`)."""

    def __init__(self, runner: TrialRunner, *, last: int) -> None:
        self._runner, self._last = runner, last
        self.trials: list[Trial] = []

    def run(self, coefficients: Coefficients, kind: TrialKind) -> Trial:
        """Run the next trial; errors as in `TrialRunner.run_batch`."""
        number = self._last + 1 + len(self.trials)
        self.trials.append(self._runner.run(coefficients, number=number, kind=kind))
        return self.trials[-1]


def _check_pruned(trial: PrunedTrial, *, best: Evaluation | None) -> None:
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
    """Raise SearchError if the score is not a finite number."""
    if not math.isfinite(trial.evaluation.score):
        raise SearchError(
            f"the dev score of trial {trial.number} ({trial.kind}) at {trial.coefficients.as_dict()} is "
            f"{trial.evaluation.score}: a search needs a number; check the metric and the model's outputs"
        )
