"""Which listed models are merged, and how: Tables 1 and 2 of "Cuts and Stitches"."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from dfwe.config.merges import option, resolve_names, uniform
from dfwe.config.tasks import Task, TaskMean
from dfwe.errors import ConfigurationError, MergeError
from dfwe.metrics.scorer import scores_by_task
from dfwe.stages.merge import MergeStage
from dfwe.stages.train import TrainStage

Models = Mapping[str, TrainStage]


@dataclass(frozen=True)
class ListedMerge:
    """A merge, the title of its row, and the models that it is of."""

    stage: MergeStage
    title: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class ListedMerges:
    """The merges of a study of listed models; `config` is `multitask` of its configuration."""

    config: Mapping[str, Any]
    models: Models
    objective: TaskMean
    seed: int

    def plan(self, of: Sequence[str]) -> tuple[dict[str, ListedMerge], dict[str, ListedMerge]]:
        """Return the merges that `multitask.merges` lists, and those of the ablation: every pair, then all.

        `of` are the candidates. One alone is its own merge: then there are none of candidates.

        Raises:
            MergeError: models whose heads differ, or whose heads some never trained.
        """
        sets = {"candidates": tuple(of), **{name: tuple(names) for name, names in self.config["sets"].items()}}
        merges = {
            name: self._merge(entry, name=name, members=sets[entry["of"]], title=_title(entry, name=name))
            for name, entry in self._entries.items()
            if len(sets[entry["of"]]) > 1
        }
        return merges, dict(self._ablation(tuple(of)))

    def check(self) -> None:
        """Instantiate what each merge is made of before anything is trained; raises what `plan` raises.

        The Pareto-optimal models are not known yet: of these only what any two have in common is checked.
        """
        if self.config["candidates"] != "pareto":
            self.plan(self.config["candidates"])
            return
        self.plan(())
        pair = tuple(complete_models(self.models, objective=self.objective))[:2]
        for name, entry in self._entries.items():
            if entry["of"] == "candidates" and len(pair) > 1:
                self._stage(entry, name=name, experts={member: self.models[member] for member in pair})

    @property
    def _entries(self) -> dict[str, dict[str, Any]]:
        return {name: {**self.config["merge"], **changes} for name, changes in self.config["merges"].items()}

    def _ablation(self, of: tuple[str, ...]) -> Iterator[tuple[str, ListedMerge]]:
        merge = self.config["ablation"]
        if merge is None or len(of) < 3:  # of two the pair is all
            return
        entry = self._entries[merge]
        title = _title(entry, name=merge)
        for members in (*combinations(of, 2), of):
            numbers = [str(1 + of.index(name)) for name in members]
            words = "all models" if members == of else f"w/ Model {' and '.join(numbers)}"
            name = merge if members == of else f"{merge}_{'_'.join(numbers)}"
            yield name, self._merge(entry, name=name, members=members, title=f"{title} {words}")

    def _merge(self, entry: Mapping[str, Any], *, name: str, members: tuple[str, ...], title: str) -> ListedMerge:
        experts = {name: model for name, model in self.models.items() if name in members}  # a search depends on it
        self._check_heads(experts, name=name, untrained=entry["untrained_heads"])
        return ListedMerge(self._stage(entry, name=name, experts=experts), title, members)

    def _stage(self, entry: Mapping[str, Any], *, name: str, experts: Models) -> MergeStage:
        merge = entry["merge"]
        config = uniform() if merge == "uniform" else option(merge, search=entry["search"], budget=entry["budget"])
        config = resolve_names(config | dict(entry["set"]) | {"name": name})
        if config["lora"] != "products":
            raise ConfigurationError(f"multitask.merges.{name}: lora={config['lora']} needs LoRA experts; leave it out")
        family = next(iter(experts.values())).family
        return MergeStage.of(config, family=family, experts=experts, target=self.objective, seed=self.seed)

    def _check_heads(self, experts: Models, *, name: str, untrained: bool) -> None:
        """Check that heads are the same everywhere, and each trained by every model unless that is meant."""
        (first, heads), *rest = ((expert, stage.family.spec().get("heads", {})) for expert, stage in experts.items())
        for other, specs in rest:
            differing = [task for task, spec in heads.items() if specs[task] != spec]
            if differing:
                raise MergeError(
                    f"{name}: {first} and {other} have another head for {', '.join(differing)}: models whose heads "
                    "differ cannot be merged"
                )
        for expert, stage in experts.items():
            trained = _trained_tasks(stage)
            missing = [column for column, task in self.objective.tasks.items() if task not in trained]
            if missing and not untrained:
                raise MergeError(
                    f"{name}: {expert} never trained its head for {', '.join(missing)}: leave it out, or set "
                    f"multitask.merges.{name}.untrained_heads=true"
                )


def _title(entry: Mapping[str, Any], *, name: str) -> str:
    return str(entry.get("title") or name)


def candidates(config: Mapping[str, Any], models: Models, *, objective: TaskMean) -> tuple[str, ...]:
    """Return the models to merge: those that `multitask.candidates` names, or the Pareto-optimal ones on dev.

    Pareto-optimal are models among those that were trained on every task.
    """
    names = config["candidates"]
    if names == "pareto":
        complete = complete_models(models, objective=objective)
        return pareto_optimal({name: _dev_by_task(stage) for name, stage in complete.items()})
    return tuple(names)


def check_models(names: Iterable[str], models: Collection[str], *, key: str) -> None:
    """Raise ConfigurationError for a name that is not a model."""
    for name in names:
        if name not in models:
            raise ConfigurationError(f"{key} has '{name}', which is none of multitask.models: {', '.join(models)}")


def complete_models(models: Models, *, objective: TaskMean) -> dict[str, TrainStage]:
    """Return the models that were trained on every task that counts."""
    counting = {task.short for task in objective.tasks.values()}
    return {name: stage for name, stage in models.items() if {task.short for task in stage.recipe.tasks} >= counting}


def pareto_optimal(scores: Mapping[str, Mapping[str, float]]) -> tuple[str, ...]:
    """Return the names, in their order, of the models that no other dominates.

    A model dominates another if it scores at least as much on every task and more on one. "Cuts and Stitches" merges
    "the three Pareto-optimal multitask models" (Table 1, note).
    """
    return tuple(
        name
        for name, mine in scores.items()
        if not any(
            all(theirs[task] >= mine[task] for task in mine) and any(theirs[task] > mine[task] for task in mine)
            for other, theirs in scores.items()
            if other != name
        )
    )


def _trained_tasks(stage: TrainStage) -> list[Task]:
    """Return the tasks of the model and of those it started from."""
    return [*stage.recipe.tasks, *([] if stage.start is None else _trained_tasks(stage.start))]


def _dev_by_task(stage: TrainStage) -> dict[str, float]:
    """Return what Pareto optimality goes by; an undefined score is the lowest there is."""
    dev = stage.dev(stage.result(stage.family.context.store))
    return {task: score or 0.0 for task, score in scores_by_task(dev.scores["metrics"]).items()}
