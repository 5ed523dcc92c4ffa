"""One candidate's evaluation: made once, journalled, and found again by a resumed search."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from dfwe.errors import SearchError
from dfwe.records import Coefficients, Evaluation, Stopped, StoppedTrial, Trial, TrialKind
from dfwe.search.journal import Journal

Race = Callable[[Coefficients, Evaluation], Evaluation | Stopped]
Listener = Callable[[Trial | StoppedTrial], None]

_REMEDY = "delete trials.jsonl and predictions.jsonl, or search in another folder"


@dataclass(frozen=True)
class Measure:
    """Turns coefficients into trials: from the journal where it holds them, by `evaluate` otherwise.

    `on_trial` hears of each trial, of those from the journal too, so that a resumed search reports all of
    them.
    """

    evaluate: Callable[[Coefficients], Evaluation]
    journal: Journal | None = None
    on_trial: Listener | None = None

    def trial(self, coefficients: Coefficients, *, number: int, kind: TrialKind) -> Trial:
        """The trial of that number, safe in the journal before `on_trial` hears of it.

        Raises:
            SearchError: the journal holds another trial under that number, or the score is not a number.
        """
        made = self._trial(coefficients, number=number, kind=kind, evaluate=self.evaluate)
        if isinstance(made, StoppedTrial):
            raise SearchError(
                f"the journal belongs to another search: its trial {number} was stopped, but this search needs its "
                f"score; {_REMEDY}"
            )
        return made

    def raced(
        self, coefficients: Coefficients, *, number: int, kind: TrialKind, race: Race, best: Evaluation
    ) -> Trial | StoppedTrial:
        """As `trial`, but stopped where it can no longer score as `best` does.

        Raises:
            SearchError: as `trial`, and where the journal's was stopped although it could have scored as `best` does.
        """
        made = self._trial(coefficients, number=number, kind=kind, evaluate=lambda asked: race(asked, best))
        if isinstance(made, StoppedTrial) and not made.evaluation.bound < best.score:
            raise SearchError(
                f"the journal belongs to another search: its trial {number} was stopped although it could score "
                f"{made.evaluation.bound}, and the best before it scores {best.score}; {_REMEDY}"
            )
        return made

    def _trial(
        self,
        coefficients: Coefficients,
        *,
        number: int,
        kind: TrialKind,
        evaluate: Callable[[Coefficients], Evaluation | Stopped],
    ) -> Trial | StoppedTrial:
        made = self.journal.get(number) if self.journal else None
        if made is None:
            made = self._make(coefficients, number=number, kind=kind, evaluate=evaluate)
        elif (made.kind, made.coefficients) != (kind, coefficients):
            raise SearchError(
                f"the journal belongs to another search: its trial {number} is {made.kind} at "
                f"{made.coefficients.as_dict()}, this search's is {kind} at {coefficients.as_dict()}; {_REMEDY}"
            )
        if self.on_trial:
            self.on_trial(made)
        return made

    def _make(
        self,
        coefficients: Coefficients,
        *,
        number: int,
        kind: TrialKind,
        evaluate: Callable[[Coefficients], Evaluation | Stopped],
    ) -> Trial | StoppedTrial:
        start = time.perf_counter()
        found = evaluate(coefficients)
        seconds = time.perf_counter() - start
        trial: Trial | StoppedTrial
        if isinstance(found, Stopped):
            trial = StoppedTrial(number, kind, coefficients, found, seconds=seconds)
        else:
            trial = Trial(number, kind, coefficients, found, seconds=seconds)
            check_score(trial)
        if self.journal:
            self.journal.append(trial)
        return trial


def check_score(trial: Trial) -> None:
    """Raises SearchError where the score is not a finite number."""
    if not math.isfinite(trial.evaluation.score):
        raise SearchError(
            f"the dev score of trial {trial.number} ({trial.kind}) at {trial.coefficients.as_dict()} is "
            f"{trial.evaluation.score}: a search needs a number; look at the metric and the model's outputs"
        )
