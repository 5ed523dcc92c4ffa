"""Make the stages of studies that share a family: each stage once, however many of the studies need it."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeVar

from dfwe.config.tasks import Objective, Task
from dfwe.families.base import ModelFamily, TrainingRecipe
from dfwe.families.statistics.base import Collector
from dfwe.stages.evaluate import EvaluateStage
from dfwe.stages.merge import MergeStage
from dfwe.stages.statistics import StatisticsStage, statistics_stages
from dfwe.stages.train import TrainStage
from dfwe.values.names import BASELINE, MIXTURE, early_name

S = TypeVar("S")
_AS_SET: Mapping[str, Any] = MappingProxyType({})  # no changes to the trainer's settings


@dataclass(frozen=True)
class StageFactory:
    """Trainings, merges and evaluations of a family's models.

    It returns the same stage for the same tasks, by name, and the same settings: a sweep of a thousand studies
    instantiates and digests what they share once.
    """

    family: ModelFamily
    _stages: dict[Hashable, Any] = field(default_factory=dict, compare=False, repr=False)

    def train_source_experts(
        self, target: Task, *, sources: Sequence[Task], seed: int, finetuned: bool
    ) -> dict[str, TrainStage]:
        """Return one expert per set of S* = {t, {t} and S, s1 .. sn} (section 4.2.1 of the paper).

        Where experts on one task stop on their own dev score and are fine-tuned later, nothing of the target is in
        them: they are the same for every target.
        """
        mixture = {MIXTURE: (target, *sources)} if sources else {}
        sets = {target.short: (target,)} | mixture | {task.short: (task,) for task in sources}
        stops_on_source = finetuned and self.family.context.trainer["train"]["stop_on"] == "own"
        return {
            name: self._source_expert(
                name, tasks, target=tasks[0] if stops_on_source and len(tasks) == 1 else target, seed=seed
            )
            for name, tasks in sets.items()
        }

    def train_early_experts(
        self, target: Task, *, sources: Sequence[Task], epochs: int, seed: int, finetuned: bool
    ) -> dict[str, TrainStage]:
        """Return the experts on one source each as they are after so many epochs, whatever dev says.

        They are the first epochs of the sources' experts: seed, order and dropout are theirs. Nothing of the target is
        in those that are fine-tuned later: they are the same for every target.
        """
        return {
            early_name(task.short, epochs): self._source_expert(
                early_name(task.short, epochs),
                (task,),
                target=task if finetuned else target,
                seed=seed,
                fit=_ending_after(epochs),
            )
            for task in sources
        }

    def finetune(
        self, experts: Mapping[str, TrainStage], *, target: Task, seed: int, epochs: int | None = None
    ) -> dict[str, TrainStage]:
        """Return every expert fine-tuned on t (section 4.3); for so many `epochs`, if they are given."""
        fit = {} if epochs is None else _ending_after(epochs)
        return {
            name: self._train_on_target(name, target=target, seed=seed, start=stage, fit=fit)
            for name, stage in experts.items()
        }

    def baseline(
        self, target: Task, *, seed: int, name: str = BASELINE, fit: Mapping[str, Any] = _AS_SET
    ) -> TrainStage:
        """Return the parent fine-tuned on the target alone; `fit` are changes to how that is trained."""
        return self._train_on_target(name, target=target, seed=seed, start=None, fit=fit)

    def merge(
        self, config: Mapping[str, Any], *, experts: Mapping[str, TrainStage], target: Objective, seed: int
    ) -> MergeStage:
        """Return the merge that a configuration describes, its classes instantiated once per number of experts."""
        template = self.memoize(
            ("merge", json.dumps(config, sort_keys=True), len(experts)),
            lambda: MergeStage.of(config, family=self.family, experts=experts, target=target, seed=seed),
        )
        statistics = statistics_stages(
            config["statistics"],
            method=template.method,
            family=self.family,
            experts=experts,
            objective=target,
            seed=seed,
        )
        return replace(template, experts=experts, target=target, seed=seed, statistics=statistics)

    def parent_statistics(self, collector: Collector, *, task: Task, seed: int) -> StatisticsStage:
        """Return what the collector measures of the parent on one task; the same for every target."""
        kind = type(collector)
        config = {"_target_": f"{kind.__module__}.{kind.__qualname__}", **asdict(collector)}  # type: ignore[call-overload]
        return self.memoize(
            ("statistics", collector, task.name, seed),
            lambda: StatisticsStage(self.family, (), config, collector, seed, (task,)),
        )

    def evaluation(self, model: TrainStage | MergeStage, *, target: Objective) -> EvaluateStage:
        """Return the evaluation of the model on the objective's test split."""
        return self.memoize(("evaluate", model.digest, target.name), lambda: EvaluateStage(model.family, model, target))

    def memoize(self, key: Hashable, make: Callable[[], S]) -> S:
        """Return what `make` gave for the key the first time."""
        if key not in self._stages:
            self._stages[key] = make()
        stage: S = self._stages[key]
        return stage

    def _source_expert(
        self, name: str, tasks: tuple[Task, ...], *, target: Task, seed: int, fit: Mapping[str, Any] = _AS_SET
    ) -> TrainStage:
        fit = {**self.family.context.trainer["train"], **fit}
        if fit["stop_on"] == "own" and len(tasks) == 1 and tasks[0] is target:
            fit = {**fit, "stop_on": "target"}  # the task that decides when to stop is its own: both ways are one
        return self._training("train", name, tasks, target=target, seed=seed, start=None, fit=fit)

    def _train_on_target(
        self,
        name: str,
        *,
        target: Task,
        seed: int,
        start: TrainStage | None,
        fit: Mapping[str, Any] = _AS_SET,
    ) -> TrainStage:
        fit = {**self.family.context.trainer["finetune"], **fit}
        return self._training("finetune", name, (target,), target=target, seed=seed, start=start, fit=fit)

    def _training(
        self,
        part: str,
        name: str,
        tasks: tuple[Task, ...],
        *,
        target: Task,
        seed: int,
        start: TrainStage | None,
        fit: Mapping[str, Any],
    ) -> TrainStage:
        recipe = TrainingRecipe(
            name, tasks, target, fit, self.family.context.trainer["batch_size"], self.family.options
        )
        origin = None if start is None else start.digest
        how = json.dumps(fit, sort_keys=True)
        key = (part, name, *(task.name for task in tasks), target.name, seed, origin, how)
        return self.memoize(key, lambda: TrainStage(self.family, recipe, start, seed))


def _ending_after(epochs: int) -> dict[str, Any]:
    """Return changes to a training that runs for so many epochs and keeps the last."""
    return {"epochs": epochs, "patience": epochs, "stop_on": "last"}
