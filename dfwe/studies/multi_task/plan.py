"""From a configuration to the models and merges of a multitask study."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig

from dfwe.config.load import plain
from dfwe.config.tasks import Task, TaskMean, build_task
from dfwe.errors import ConfigurationError
from dfwe.families.base import ModelFamily, TrainingRecipe
from dfwe.stages.base import Stage
from dfwe.stages.train import TrainStage
from dfwe.studies.context import study_family


@dataclass(frozen=True)
class MultitaskStudy:
    """What is known before anything is trained; which models are merged is known after.

    `columns` are all tasks by the names that tables have for them, `target` those that count. `config` is
    `multitask` of the study's.
    """

    family: ModelFamily
    columns: Mapping[str, Task]
    target: TaskMean
    seed: int
    pretraining: tuple[Stage, ...]
    models: Mapping[str, TrainStage]
    config: Mapping[str, Any]

    @property
    def merges(self) -> dict[str, dict[str, Any]]:
        """The configurations of the merges, in full."""
        return {name: {**self.config["merge"], **own} for name, own in self.config["merges"].items()}

    def trainings(self) -> Iterator[tuple[str, Stage]]:
        """The stages up to the trained models."""
        yield from (("parent", stage) for stage in self.pretraining)
        yield from (("train", stage) for stage in self.models.values())

    @property
    def multitask_models(self) -> dict[str, TrainStage]:
        """The models that were trained on every task that counts."""
        short = {task.short for task in self.target.tasks.values()}
        return {
            name: stage for name, stage in self.models.items() if {task.short for task in stage.recipe.tasks} >= short
        }


def plan_multitask(config: DictConfig) -> MultitaskStudy:
    """The study that a composed configuration describes.

    Raises:
        ConfigurationError: a task without a head, a column or model that is not there, an unknown option, ...
        DataError: the split of a task is missing, broken or empty.
    """
    if config.choice.by:
        raise ConfigurationError("models with heads choose no sources: leave out choice= and sources=auto")
    asked = plain(config.multitask)
    raw = _columns(config, names=asked["columns"])
    family, pretraining = study_family(config, tasks=tuple(raw.values()))
    columns = {column: family.adapt(task) for column, task in raw.items()}
    target = TaskMean({name: _of(columns, name, key="multitask.score") for name in asked["score"]})
    for task in columns.values():  # empty splits and unknown labels show before any training
        for split in ("train", "dev"):
            family.context.data.instances(task, split=split)
    models: dict[str, TrainStage] = {}
    for name, own in asked["models"].items():
        models[name] = _model(
            name,
            {**asked["training"], **own},
            config=config,
            family=family,
            columns=columns,
            target=target,
            made=models,
        )
    _check_entries(asked)
    return MultitaskStudy(family, columns, target, config.seed, pretraining, models, asked)


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
    made: Mapping[str, TrainStage],
) -> TrainStage:
    key = f"multitask.models.{name}"
    known = set(config.multitask.training)
    if unknown := sorted(set(entry) - known):
        raise ConfigurationError(
            f"{key} has '{unknown[0]}', which no model has: it can have {', '.join(sorted(known))}"
        )
    tasks = tuple(_of(columns, each, key=f"{key}.tasks") for each in entry["tasks"])
    if entry["start"] is not None and entry["start"] not in made:
        raise ConfigurationError(f"{key}.start is '{entry['start']}', which is no model before it: {list(made)}")
    heads = {_of(columns, each, key=f"{key}.heads").short: dict(own) for each, own in entry["heads"].items()}
    options = {each: entry[each] for each in ("schedule", "joint_epoch", "surgery", "smart")}
    options["weights"] = {
        _of(columns, each, key=f"{key}.weights").short: float(weight) for each, weight in entry["weights"].items()
    }
    scored = TaskMean({each: task for each, task in columns.items() if task in tasks})
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
    return TrainStage(family, recipe, None if entry["start"] is None else made[entry["start"]], config.seed)


def _check_entries(asked: Mapping[str, Any]) -> None:
    """Merges and sets name models that there are."""
    for name, members in asked["sets"].items():
        for each in members:
            if each not in asked["models"]:
                raise ConfigurationError(f"multitask.sets.{name} has '{each}', which is none of multitask.models")
    for name, own in asked["merges"].items():
        entry = {**asked["merge"], **own}
        if unknown := sorted(set(entry) - {*asked["merge"], "title", "merge"}):
            raise ConfigurationError(f"multitask.merges.{name} has '{unknown[0]}', which no merge has")
        if entry["of"] not in ("candidates", *asked["sets"]):
            raise ConfigurationError(
                f"multitask.merges.{name}.of is '{entry['of']}': say candidates or one of multitask.sets"
            )
    if asked["ablation"] is not None and asked["ablation"] not in asked["merges"]:
        raise ConfigurationError(f"multitask.ablation is '{asked['ablation']}', which is none of multitask.merges")
