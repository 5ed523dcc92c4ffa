"""The stage that selects sources: candidates are ranked for a target by criteria, the best are taken."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from omegaconf import DictConfig

from dfwe.config.instantiate import bind, plain
from dfwe.config.tasks import Task
from dfwe.errors import ConfigurationError
from dfwe.families.base import ModelFamily
from dfwe.stages.base import Stage, Tell
from dfwe.store.store import Entry
from dfwe.studies.source_selection.base import Criterion, CriterionInputs, Part
from dfwe.studies.source_selection.ranking import best, ranking
from dfwe.studies.stage_factory import StageFactory


@dataclass(frozen=True)
class SelectSourcesStage(Stage):
    """Ranks candidates by the mean of their ranks under the criteria; its result is all on its card."""

    kind: ClassVar[str] = "choice"
    family: ModelFamily
    target: Task
    candidates: tuple[Task, ...]  # in the order of their names
    policy: SelectionPolicy
    inputs: Mapping[str, CriterionInputs]  # by criterion

    @property
    def title(self) -> str:
        """Title in the user's words."""
        return f"choose sources for {self.target.short} by {', '.join(self.inputs)}"

    def spec(self) -> dict[str, Any]:
        """Return the criteria, the number and the inputs, which the target and the candidates are part of."""
        return {
            "by": dict(self.policy.by),
            "number": self.policy.number,
            "candidates": [task.short for task in self.candidates],
            "evidence": {name: inputs.spec() for name, inputs in self.inputs.items()},
        }

    @property
    def needs(self) -> tuple[Stage, ...]:
        """Inputs of the criteria."""
        return tuple(stage for inputs in self.inputs.values() for _, stage in inputs.parts())

    def parts(self) -> Iterator[Part]:
        """Yield the stages up to itself, each after those it needs."""
        for inputs in self.inputs.values():
            yield from inputs.parts()
        yield "choose", self

    def make(self, folder: Path, *, tell: Tell) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Score, rank and select; ConfigurationError where too few candidates are known."""
        start = time.perf_counter()
        scores = {
            name: self.policy.criteria[name].scores(inputs, store=self.family.context.store)
            for name, inputs in self.inputs.items()
        }
        names = tuple(task.short for task in self.candidates)
        ranked = ranking(scores, candidates=names)
        selected = best(ranked, number=self.policy.number, candidates=names)
        return {
            "by": list(scores),
            "taken": list(selected),
            "ranking": [
                {"task": candidate.task, "rank": candidate.rank, "scores": dict(candidate.scores)}
                for candidate in ranked
            ],
            "unknown": sorted(set(names) - {candidate.task for candidate in ranked}),
            "seconds": round(time.perf_counter() - start, 2),
        }, ()

    def selected(self, entry: Entry) -> tuple[Task, ...]:
        """Return the selected sources, in the order of their names."""
        by_name = {task.short: task for task in self.candidates}
        return tuple(by_name[name] for name in entry.card.result["taken"])


def selection_results(stage: SelectSourcesStage | None) -> dict[str, Any] | None:
    """Return the selection and its inputs as JSON, with the stages that they came from; None without a selection."""
    if stage is None:
        return None
    result = dict(stage.result(stage.family.context.store).card.result)
    del result["seconds"]
    specs = {name: inputs.spec() for name, inputs in stage.inputs.items()}
    result["selected"] = result.pop("taken")
    return {"number": stage.policy.number, **result, "stage": f"{stage.kind}-{stage.digest}", "evidence": specs}


@dataclass(frozen=True)
class SelectionPolicy:
    """Criteria by name, and the number of sources to select, whatever the target."""

    criteria: Mapping[str, Criterion]
    by: Mapping[str, Any]  # the criteria's configurations
    number: int

    @classmethod
    def of(cls, study: DictConfig) -> SelectionPolicy | None:
        """Return the policy that `source_selection` of a configuration describes; None where nothing is to be selected.

        Raises:
            ConfigurationError: something that is not a criterion.
        """
        by = plain(study.source_selection.by)
        if not by:
            return None
        criteria = {name: _criterion(name, config=config) for name, config in by.items()}
        return cls(criteria, by, study.source_selection.number)

    def stage(
        self, factory: StageFactory, *, target: Task, candidates: Sequence[Task], seed: int
    ) -> SelectSourcesStage:
        """Return the stage that selects among these candidates; nothing runs.

        Raises:
            ConfigurationError: there are fewer than are to be selected.
        """
        if self.number > len(candidates):
            names = ", ".join(task.short for task in candidates)
            raise ConfigurationError(
                f"source_selection.number is {self.number}, but {target.short} has only these candidates for sources: "
                f"{names}"
            )

        ordered = tuple(sorted(candidates, key=lambda task: task.short))  # as the digest has them

        def make() -> SelectSourcesStage:
            inputs = {
                name: criterion.inputs(factory, target=target, candidates=ordered, seed=seed)
                for name, criterion in self.criteria.items()
            }
            return SelectSourcesStage(factory.family, target, ordered, self, inputs)

        long_names = tuple(task.name for task in ordered)
        key = ("choice", json.dumps(self.by, sort_keys=True), self.number, target.name, long_names, seed)
        return factory.memoize(key, make)


def _criterion(name: str, *, config: Any) -> Criterion:
    if not isinstance(config, Mapping) or "_target_" not in config:
        raise ConfigurationError(
            f"source_selection.by.{name} must name the class of a criterion in `_target_`, and its settings"
        )
    criterion = bind(config)
    if not isinstance(criterion, Criterion):
        kind = type(criterion).__name__
        raise ConfigurationError(f"source_selection.by.{name} is a {kind}, which is not a criterion of choice")
    return criterion
