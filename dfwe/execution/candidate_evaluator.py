"""Evaluate candidates of a merge in another process than its search's."""

from __future__ import annotations

from dfwe.config.tasks import tasks_of
from dfwe.merging.expert_array import ExpertArray
from dfwe.search.trial_runner import EvaluateOne, TrialRunner
from dfwe.stages.merge import MergeStage


def candidate_evaluator(stage: MergeStage, *, array: ExpertArray) -> EvaluateOne:
    """Return what evaluates candidates on dev with the same bits as the search's own process does."""
    model = stage.family.on_device(stage.family.model(tasks_of(stage.target)))
    candidate, scorer = stage.candidate(model, array=array), stage.family.scorer(stage.target, split="dev")
    return TrialRunner(
        lambda coefficients: scorer(candidate.at(coefficients)),
        evaluate_pruned=lambda coefficients, best: scorer.score_pruned(candidate.at(coefficients), best=best),
    ).evaluate_one
