"""Scoring the best candidates of a search again, exactly, where the search went by approximate scores."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Sequence

from dfwe.records import Evaluation, Trial
from dfwe.search.best import argmax

log = logging.getLogger(__name__)


class Rescored:
    """Trials with their exact evaluations, each made once."""

    def __init__(self, evaluate: Callable[[Trial], Evaluation]) -> None:
        self._evaluate = evaluate
        self._exact: list[Trial] = []

    def of(self, trial: Trial) -> Trial:
        """The trial with its exact evaluation."""
        if any(trial is known for known in self._exact):
            return trial
        exact = dataclasses.replace(trial, evaluation=self._evaluate(trial))
        log.info("trial %d scores %.4f, exactly %.4f", trial.number, trial.evaluation.score, exact.evaluation.score)
        self._exact.append(exact)
        return exact

    def best_first(self, trials: Sequence[Trial]) -> tuple[Trial, ...]:
        """The trials in their order, evaluated again from the best on, until the best of all is an exact one."""
        now = list(trials)
        while True:
            best = argmax(now)
            exact = self.of(best)
            if exact is best:
                return tuple(now)
            now = [exact if trial is best else trial for trial in now]
