"""Evaluate candidates of a merge in another process than its search's."""

from __future__ import annotations

import time

from dfwe.config.tasks import tasks_of
from dfwe.merging.expert_array import ExpertArray
from dfwe.records import Coefficients, Evaluation
from dfwe.search.trial_runner import TimedEvaluation
from dfwe.stages.merge import MergeStage


class CandidateEvaluator:
    """Evaluate candidates with the same bits as the search's own process does."""

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
