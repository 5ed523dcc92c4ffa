"""Processes that evaluate a merge's candidates side by side, as the merge stage sees them."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dfwe.config.tasks import tasks_of
from dfwe.merging.expert_array import ExpertArray
from dfwe.records import Coefficients, Evaluation
from dfwe.search.trial_runner import EvaluateOne, TimedEvaluation

if TYPE_CHECKING:
    from dfwe.stages.merge import MergeStage


class CandidatePool(ABC):
    """Evaluate candidates in several processes."""

    @abstractmethod
    def share(self, array: ExpertArray) -> ExpertArray:
        """Return the same array, in memory that all processes on this machine read."""

    @abstractmethod
    def evaluate_batch(
        self, candidates: Sequence[Coefficients], best: Evaluation | None, evaluate_one: EvaluateOne, /
    ) -> Iterator[TimedEvaluation]:
        """Evaluate candidates as `dfwe.search.trial_runner.EvaluateBatch` does."""


class CandidateEvaluator:
    """Evaluate candidates of a merge in another process than its search's, with the same bits."""

    def __init__(self, stage: MergeStage, *, array: ExpertArray) -> None:
        model = stage.family.on_device(stage.family.model(tasks_of(stage.target)))
        self._candidate = stage.candidate(model, array=array)
        self._scorer = stage.family.scorer(stage.target, split="dev")

    def __call__(self, coefficients: Coefficients, best: Evaluation | None) -> TimedEvaluation:
        """Evaluate the candidate on dev, pruned against `best` if there is one."""
        start = time.perf_counter()
        model = self._candidate.at(coefficients)
        if best is None:
            return TimedEvaluation(self._scorer(model), time.perf_counter() - start)
        return TimedEvaluation(self._scorer.score_pruned(model, best=best), time.perf_counter() - start)
