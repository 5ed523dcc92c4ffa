"""Makes the stages of studies that share a family: each stage once, however many of the studies need it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from dfwe.config.tasks import Objective, Task
from dfwe.families.base import ModelFamily, TrainingRecipe
from dfwe.stages.evaluate import EvaluateStage
from dfwe.stages.merge import MergeStage
from dfwe.stages.mixture import MixtureStage
from dfwe.stages.statistics import statistics_stages
from dfwe.stages.train import TrainStage
from dfwe.values.names import MIXTURE

S = TypeVar("S")


@dataclass(frozen=True)
class Workshop:
    """The trainings, merges and evaluations of a family.

    Asked again for the same task and stage objects it gives the same stage: a sweep of a thousand studies binds and
    digests what they share once. What it was given lives as long as it does.
    """

    family: ModelFamily
    _made: dict[Hashable, Any] = field(default_factory=dict, compare=False, repr=False)

    def on_s_star(self, target: Task, *, sources: Sequence[Task], seed: int, finetuned: bool) -> dict[str, TrainStage]:
        """S* = {t, {t} and S, s1 .. sn}: one expert each (section 4.2.1 of the paper).

        Where experts on one task stop on their own dev score and are fine-tuned later, nothing of the target is in
        them: they are the same for every target.
        """
        sets = {target.short: (target,), MIXTURE: (target, *sources)} | {task.short: (task,) for task in sources}
        own = finetuned and self.family.context.trainer["train"]["stop_on"] == "own"
        return {
            name: self._trained(name, tasks, target=tasks[0] if own and len(tasks) == 1 else target, seed=seed)
            for name, tasks in sets.items()
        }

    def finetuned(self, trained: Mapping[str, TrainStage], *, target: Task, seed: int) -> dict[str, TrainStage]:
        """Every expert on t (section 4.3)."""
        return {
            name: self._fit_on_target(name, target=target, seed=seed, start=stage) for name, stage in trained.items()
        }

    def baseline(self, target: Task, *, seed: int, epochs: int | None = None) -> TrainStage:
        """The parent fine-tuned on the target alone; for up to so many `epochs` if they are given.

        Then its patience is the cap of a plain fine-tuning: it ends where as much training again gained nothing.
        """
        name = "baseline" if epochs is None else f"baseline for {epochs} epochs"
        return self._fit_on_target(name, target=target, seed=seed, start=None, epochs=epochs)

    def merge(
        self, config: Mapping[str, Any], *, experts: Mapping[str, TrainStage], target: Objective, seed: int
    ) -> MergeStage:
        """The merge that a configuration describes, its classes bound once for each number of experts."""

        key = ("bound", id(config), len(experts))
        bound = self.once(
            key,
            lambda: MergeStage.of(config, family=self.family, experts=experts, target=target, seed=seed),
            holds=config,
        )

        def made() -> MergeStage:
            statistics = statistics_stages(
                config["statistics"],
                rule=bound.rule,
                family=self.family,
                experts=experts,
                objective=target,
                seed=seed,
            )
            return replace(bound, experts=experts, target=target, seed=seed, statistics=statistics)

        parts = tuple((name, id(stage)) for name, stage in experts.items())
        return self.once(("merge", id(config), parts, id(target), seed), made, holds=(config, experts, target))

    def evaluation(self, model: TrainStage | MergeStage, *, target: Objective) -> EvaluateStage:
        """The model on the target's test split."""
        return self.once(
            ("evaluate", id(model), id(target)),
            lambda: EvaluateStage(model.family, model, target),
            holds=(model, target),
        )

    def mixture(self, merge: MergeStage) -> MixtureStage:
        """The merge's best mixture, its experts apart."""
        return self.once(("mixture", id(merge)), lambda: MixtureStage(merge), holds=merge)

    def once(self, key: Hashable, make: Callable[[], S], *, holds: Any) -> S:
        """What `make` gives the first time; `holds` are the objects in the key, kept so that no id comes again."""
        if key not in self._made:
            self._made[key] = (make(), holds)
        made: S = self._made[key][0]
        return made

    def _trained(self, name: str, tasks: tuple[Task, ...], *, target: Task, seed: int) -> TrainStage:
        fit = self.family.context.trainer["train"]
        if fit["stop_on"] == "own" and len(tasks) == 1 and tasks[0] is target:
            fit = {**fit, "stop_on": "target"}  # the task that decides when to stop is its own: both ways are one
        return self._stage(name, tasks, target=target, seed=seed, start=None, fit=fit, of="train")

    def _fit_on_target(
        self, name: str, *, target: Task, seed: int, start: TrainStage | None, epochs: int | None = None
    ) -> TrainStage:
        fit = self.family.context.trainer["finetune"]
        fit = fit if epochs is None else {**fit, "epochs": epochs, "patience": fit["epochs"]}
        return self._stage(name, (target,), target=target, seed=seed, start=start, fit=fit, of="finetune")

    def _stage(
        self,
        name: str,
        tasks: tuple[Task, ...],
        *,
        target: Task,
        seed: int,
        start: TrainStage | None,
        fit: Mapping[str, Any],
        of: str,
    ) -> TrainStage:
        size, options = self.family.context.trainer["batch_size"], self.family.options
        key = (of, name, *map(id, tasks), id(target), seed, id(start), fit["epochs"], fit["patience"])
        return self.once(
            key,
            lambda: TrainStage(self.family, TrainingRecipe(name, tasks, target, fit, size, options), start, seed),
            holds=(tasks, target, start),
        )
