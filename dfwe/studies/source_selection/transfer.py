"""Score a source by its expert alone: fine-tuned on the target, against the baseline on dev."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from dfwe.config.tasks import Task
from dfwe.stages.base import Stage
from dfwe.stages.train import TrainStage
from dfwe.store.store import Store
from dfwe.studies.source_selection.base import Criterion, CriterionInputs, Part
from dfwe.studies.stage_factory import StageFactory


@dataclass(frozen=True)
class Transfer(Criterion):
    """The dev score of the expert on one source, fine-tuned on the target, minus that of the baseline.

    These are stages that a study with that source has, too: a sweep and the study itself train them once. With
    `train=false` nothing is trained for the choice: candidates whose expert, or the baseline, the store does not hold
    have no score. Then the choice depends on what was trained before; its results say what was there.
    """

    train: bool

    def inputs(self, factory: StageFactory, *, target: Task, candidates: Sequence[Task], seed: int) -> CriterionInputs:
        """Return the baseline, and each candidate's expert before and after its fine-tuning."""
        baseline = factory.baseline(target, seed=seed)
        experts = {task.short: _expert(factory, task, target=target, seed=seed) for task in candidates}
        if not self.train:
            experts = {
                name: parts[-1:] for name, parts in experts.items() if _is_in_store(parts[-1][1], factory=factory)
            }
            if not _is_in_store(baseline, factory=factory):
                return CriterionInputs((), {})
        return CriterionInputs((("baseline", baseline),), experts)

    def scores(self, inputs: CriterionInputs, *, store: Store) -> dict[str, float]:
        """Return differences of dev scores, in [-1, 1]."""
        if not inputs.shared:
            return {}
        baseline = _dev(inputs.shared[0][1], store=store)
        return {name: _dev(parts[-1][1], store=store) - baseline for name, parts in inputs.per_candidate.items()}


def _expert(factory: StageFactory, task: Task, *, target: Task, seed: int) -> tuple[Part, ...]:
    trained = factory.train_source_experts(target, sources=(task,), seed=seed, finetuned=True)[task.short]
    finetuned = factory.finetune({task.short: trained}, target=target, seed=seed)[task.short]
    return ("train", trained), ("finetune", finetuned)


def _is_in_store(stage: Stage, *, factory: StageFactory) -> bool:
    return stage.find(factory.family.context.store) is not None


def _dev(stage: Stage, *, store: Store) -> float:
    expert = cast(TrainStage, stage)
    return expert.dev(expert.result(store)).score
