"""What is merged in a multitask study, and how: planned once the models are trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from dfwe.config.merges import option, uniform, with_pick
from dfwe.errors import ConfigurationError, MergeError
from dfwe.stages.base import Stage
from dfwe.stages.merge import MergeStage
from dfwe.stages.train import TrainStage
from dfwe.studies.multi_task.pareto import pareto_optimal
from dfwe.studies.multi_task.plan import MultitaskStudy
from dfwe.studies.multi_task.scores import by_column


@dataclass(frozen=True)
class Merged:
    """A merge, the models it is of, and its row's title."""

    stage: MergeStage
    title: str
    members: tuple[str, ...]

    @property
    def stages(self) -> tuple[Stage, ...]:
        """What it needs measured, and itself."""
        return (*self.stage.statistics, self.stage)


def candidates(study: MultitaskStudy) -> tuple[str, ...]:
    """The models to merge: those that `multitask.candidates` names, or the Pareto-optimal multitask models on dev.

    Raises:
        ConfigurationError: a name that is no model, or fewer than two to choose from.
    """
    asked = study.config["candidates"]
    if asked != "pareto":
        for name in asked:
            if name not in study.models:
                raise ConfigurationError(
                    f"multitask.candidates has '{name}', which is none of multitask.models: {', '.join(study.models)}"
                )
        return tuple(asked)
    scores = {name: _dev(study, stage) for name, stage in study.multitask_models.items()}
    return pareto_optimal(scores)


def plan_merges(study: MultitaskStudy, *, of: Sequence[str]) -> tuple[dict[str, Merged], dict[str, Merged]]:
    """The merges that `multitask.merges` asks for, and those of the ablation: every pair, then all.

    `of` are the candidates. One alone is its own merge: then there are none of candidates.

    Raises:
        MergeError: models whose heads differ, or whose heads some never trained.
    """
    sets = {"candidates": tuple(of), **{name: tuple(each) for name, each in study.config["sets"].items()}}
    merges = {
        name: _merged(study, entry, name=name, members=sets[entry["of"]], title=entry["title"])
        for name, entry in study.merges.items()
        if len(sets[entry["of"]]) > 1
    }
    return merges, dict(_ablation(study, of=tuple(of)))


def check_merges(study: MultitaskStudy) -> None:
    """Bind what each merge is made of before anything is trained; raises what its classes raise."""
    pair = tuple(study.multitask_models)[:2]  # whose candidates are not known yet
    for name, entry in study.merges.items():
        members = pair if entry["of"] == "candidates" else study.config["sets"][entry["of"]]
        if len(members) > 1:
            experts = {each: study.models[each] for each in members}
            _stage(study, entry, name=name, experts=experts)


def _ablation(study: MultitaskStudy, *, of: tuple[str, ...]) -> Iterator[tuple[str, Merged]]:
    asked = study.config["ablation"]
    if asked is None or len(of) < 3:  # of two the pair is all
        return
    entry = study.merges[asked]
    for members in (*combinations(of, 2), of):
        numbers = [str(1 + of.index(name)) for name in members]
        words = "all models" if members == of else f"w/ Model {' and '.join(numbers)}"
        name = asked if members == of else f"{asked}_{'_'.join(numbers)}"
        yield name, _merged(study, entry, name=name, members=members, title=f"{entry['title']} {words}")


def _merged(
    study: MultitaskStudy, entry: Mapping[str, Any], *, name: str, members: tuple[str, ...], title: str
) -> Merged:
    experts = {each: study.models[each] for each in members}
    _check_heads(study, experts, name=name, untrained=entry["untrained_heads"])
    return Merged(_stage(study, entry, name=name, experts=experts), title, members)


def _stage(
    study: MultitaskStudy, entry: Mapping[str, Any], *, name: str, experts: Mapping[str, TrainStage]
) -> MergeStage:
    family = next(iter(experts.values())).family
    config = _config(entry) | {"name": name}
    return MergeStage.of(with_pick(config), family=family, experts=experts, target=study.target, seed=study.seed)


def _config(entry: Mapping[str, Any]) -> dict[str, Any]:
    merge = entry["merge"]
    made = uniform() if merge == "uniform" else option(merge, search=entry["search"], budget=entry["budget"])
    return made | dict(entry["set"])


def _check_heads(study: MultitaskStudy, experts: Mapping[str, TrainStage], *, name: str, untrained: bool) -> None:
    """The same heads everywhere, and each trained by every model unless that is meant."""
    (first, heads), *others = ((name, stage.family.spec().get("heads", {})) for name, stage in experts.items())
    for other, own in others:
        differing = [task for task, spec in heads.items() if own[task] != spec]
        if differing:
            raise MergeError(
                f"{name}: {first} and {other} have another head for {', '.join(differing)}: models whose heads differ "
                "cannot be merged"
            )
    for other, stage in experts.items():
        missing = [column for column, task in study.target.tasks.items() if task not in _trained(stage)]
        if missing and not untrained:
            raise MergeError(
                f"{name}: {other} never trained its head for {', '.join(missing)}: leave it out, or say "
                f"multitask.merges.{name}.untrained_heads=true"
            )


def _trained(stage: TrainStage) -> list[Any]:
    """The tasks of the model and of those it started from."""
    before = stage.start
    return [*stage.recipe.tasks, *(_trained(before) if isinstance(before, TrainStage) else [])]


def _dev(study: MultitaskStudy, stage: TrainStage) -> dict[str, float]:
    """What Pareto optimality goes by; an undefined score is the lowest there is."""
    dev = stage.dev(stage.result(study.family.context.store))
    return {column: value or 0.0 for column, value in by_column(dev.scores["metrics"]).items()}
