"""Studies of models that a configuration lists (`multitask`): "Cuts and Stitches"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig

from dfwe.config.instantiate import plain
from dfwe.config.task_data import Corpora
from dfwe.config.tasks import Task, TaskMean, build_task
from dfwe.errors import ConfigurationError
from dfwe.families.base import ModelFamily, TrainingRecipe
from dfwe.stages.base import Stage
from dfwe.stages.diagnostics.base import plan_diagnostics
from dfwe.stages.train import TrainStage
from dfwe.studies.baselines.base import BaselineInputs, baseline_models, evaluated
from dfwe.studies.context import study_family
from dfwe.studies.listed_merges import ListedMerges, candidates, check_models
from dfwe.studies.spec import StudySpec
from dfwe.studies.stage_factory import StageFactory
from dfwe.studies.study import Listing, Part, Study, StudyPlan, headline_merge


@dataclass(frozen=True)
class ListedPlan(StudyPlan):
    """The listed models; which of them are merged may depend on their dev scores.

    `columns` are all tasks by the names that tables have for them, `objective` those that count. `config` is
    `multitask` of the study's configuration.
    """

    spec: StudySpec
    factory: StageFactory
    columns: Mapping[str, Task]
    objective: TaskMean
    seed: int
    pretraining: tuple[Stage, ...]
    models: Mapping[str, TrainStage]
    config: Mapping[str, Any]

    @property
    def family(self) -> ModelFamily:
        """Family of its models."""
        return self.factory.family

    @property
    def name(self) -> tuple[str, tuple[str, ...]]:
        """Names of the tasks that count, and of all tasks."""
        return ", ".join(self.objective.tasks), tuple(self.columns)

    @property
    def merges(self) -> ListedMerges:
        """Merges that its configuration lists."""
        return ListedMerges(self.config, self.models, self.objective, self.seed)

    def parts(self) -> Iterator[Part]:
        """Yield the stages up to the trained models."""
        yield from (("parent", stage) for stage in self.pretraining)
        yield from (("train", stage) for stage in self.models.values())

    def resolve(self) -> Study:
        """Return the study, its merges by the models' dev scores; raises what `ListedMerges.plan` raises."""
        factory, objective = self.factory, self.objective
        names = candidates(self.config, self.models, objective=objective)
        merges, ablation = self.merges.plan(names)
        stages = {name: merge.stage for name, merge in {**merges, **ablation}.items()}
        last = headline_merge({name: stages[name] for name in merges})  # those of the ablation stand behind it
        experts = {name: self.models[name] for name in names}
        around = BaselineInputs(factory, objective, experts, experts, self.seed)
        baselines = baseline_models(self.spec.baselines, study=around, is_merged=len(experts) > 1)
        scored = {name: model for name, model in self.models.items() if self._counts(model)}
        return Study(
            family=self.family,
            objective=objective,
            tasks=self.columns,
            seed=self.seed,
            pretraining=self.pretraining,
            trained=self.models,
            merges=stages,
            baselines=baselines,
            evaluations=evaluated({**scored, **baselines, **stages}, factory=factory, objective=objective),
            diagnostics=plan_diagnostics(self.spec.diagnostics, merge=stages.get(last or "")),
            listing=Listing(
                self.config,
                names,
                titles={name: merge.title for name, merge in {**merges, **ablation}.items()},
                members={name: merge.members for name, merge in {**merges, **ablation}.items()},
                ablation=tuple(ablation),
            ),
        )

    def _counts(self, model: TrainStage) -> bool:
        """Return whether the model was trained on a task that counts."""
        return any(task in self.objective.tasks.values() for task in model.recipe.tasks)


def plan_listed(config: DictConfig, *, corpora: Corpora | None = None) -> ListedPlan:
    """Return the plan of a study that lists its models; `corpora` are those that other studies share.

    Raises:
        ConfigurationError: a task that the family cannot answer, a column or model that is not there, an unknown
            option, ...
        DataError: the split of a task is missing, broken or empty.
    """
    multitask = plain(config.multitask)
    raw = _columns(config, names=multitask["columns"])
    family, pretraining = study_family(config, tasks=tuple(raw.values()), corpora=corpora)
    columns = {column: family.adapt(task) for column, task in raw.items()}
    objective = TaskMean({name: _of(columns, name, key="multitask.score") for name in multitask["score"]})
    for task in columns.values():  # empty splits and unknown labels show before any training
        for split in ("train", "dev"):
            family.context.data.instances(task, split=split)
    models: dict[str, TrainStage] = {}
    for name, changes in multitask["models"].items():
        entry = {**multitask["training"], **changes}
        models[name] = _model(
            name, entry, config=config, family=family, columns=columns, target=objective, models=models
        )
    _check_entries(multitask)
    if multitask["bins"] is not None and _of(columns, multitask["bins"]["column"], key="multitask.bins.column").labels:
        raise ConfigurationError("multitask.bins.column must be a task whose answers are numbers")
    if multitask["bins"] is not None and multitask["bins"]["column"] not in multitask["score"]:
        raise ConfigurationError(f"multitask.bins.column must be one of multitask.score={list(multitask['score'])}")
    spec = StudySpec.of(config)
    plan = ListedPlan(spec, StageFactory(family), columns, objective, config.seed, pretraining, models, multitask)
    plan.merges.check()
    return plan


def _columns(config: DictConfig, *, names: Mapping[str, str]) -> dict[str, Task]:
    tasks = {short: build_task(short, config=task) for short, task in config.sources.items()}
    for column, short in names.items():
        if short not in tasks:
            raise ConfigurationError(
                f"multitask.columns has '{short}' for {column}, which is not among sources={list(tasks)}: add it there"
            )
    return {column: tasks[short] for column, short in names.items()}


def _of(columns: Mapping[str, Task], name: str, *, key: str) -> Task:
    if name not in columns:
        raise ConfigurationError(f"{key} names '{name}', which is none of multitask.columns: {', '.join(columns)}")
    return columns[name]


def _model(
    name: str,
    entry: Mapping[str, Any],
    *,
    config: DictConfig,
    family: ModelFamily,
    columns: Mapping[str, Task],
    target: TaskMean,
    models: Mapping[str, TrainStage],
) -> TrainStage:
    key = f"multitask.models.{name}"
    settings = set(config.multitask.training)
    if unknown := sorted(set(entry) - settings):
        raise ConfigurationError(
            f"{key} has '{unknown[0]}', which no model has: it can have {', '.join(sorted(settings))}"
        )
    tasks = tuple(_of(columns, column, key=f"{key}.tasks") for column in entry["tasks"])
    if entry["start"] is not None and entry["start"] not in models:
        raise ConfigurationError(f"{key}.start is '{entry['start']}', which is no model before it: {list(models)}")
    heads = {
        _of(columns, column, key=f"{key}.heads").short: dict(changes) for column, changes in entry["heads"].items()
    }
    options = {option: entry[option] for option in ("schedule", "joint_epoch", "surgery", "smart")}
    options["weights"] = {
        _of(columns, column, key=f"{key}.weights").short: float(weight) for column, weight in entry["weights"].items()
    }
    scored = TaskMean({column: task for column, task in columns.items() if task in tasks})
    fit = {**plain(config.trainer.train), **entry["fit"]}
    if len(tasks) == 1 and fit["stop_on"] == "target":
        fit["stop_on"] = "own"  # the dev score of the task that alone it trains on
    recipe = TrainingRecipe(
        name,
        tasks,
        target if set(scored.tasks) & set(target.tasks) else scored,
        fit,
        config.trainer.batch_size,
        options,
    )
    family = family.with_heads(heads) if heads else family
    family.check_recipe(recipe)
    return TrainStage(family, recipe, None if entry["start"] is None else models[entry["start"]], config.seed)


def _check_entries(multitask: Mapping[str, Any]) -> None:
    """Check that merges and sets name models that there are."""
    for name, members in multitask["sets"].items():
        check_models(members, multitask["models"], key=f"multitask.sets.{name}")
    if multitask["candidates"] != "pareto":
        check_models(multitask["candidates"], multitask["models"], key="multitask.candidates")
    for name, changes in multitask["merges"].items():
        entry = {**multitask["merge"], **changes}
        if unknown := sorted(set(entry) - {*multitask["merge"], "title", "merge"}):
            raise ConfigurationError(f"multitask.merges.{name} has '{unknown[0]}', which no merge has")
        if entry["of"] not in ("candidates", *multitask["sets"]):
            raise ConfigurationError(
                f"multitask.merges.{name}.of is '{entry['of']}': set candidates or one of multitask.sets"
            )
    if multitask["ablation"] is not None and multitask["ablation"] not in multitask["merges"]:
        raise ConfigurationError(f"multitask.ablation is '{multitask['ablation']}', which is none of multitask.merges")
