"""The choice stage: candidates ranked for a target by criteria, the best taken."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from omegaconf import DictConfig

from dfwe.config.instantiate import bind
from dfwe.config.load import plain
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
    rule: SelectionPolicy
    evidence: Mapping[str, CriterionInputs]  # by criterion

    @property
    def title(self) -> str:
        """What the user reads."""
        return f"choose sources for {self.target.short} by {', '.join(self.evidence)}"

    def spec(self) -> dict[str, Any]:
        """The criteria, the number, and the evidence, which the target and the candidates are part of."""
        return {
            "by": dict(self.rule.by),
            "number": self.rule.number,
            "candidates": [task.short for task in self.candidates],
            "evidence": {name: evidence.spec() for name, evidence in self.evidence.items()},
        }

    @property
    def needs(self) -> tuple[Stage, ...]:
        """The evidence."""
        return tuple(stage for evidence in self.evidence.values() for _, stage in evidence.parts())

    def parts(self) -> Iterator[Part]:
        """The stages up to itself, each after those it needs."""
        for evidence in self.evidence.values():
            yield from evidence.parts()
        yield "choose", self

    def make(self, folder: Path, *, tell: Tell) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Scores, ranks and takes; ConfigurationError where too few candidates are known."""
        begun = time.perf_counter()
        scores = {
            name: self.rule.criteria[name].scores(evidence, store=self.family.context.store)
            for name, evidence in self.evidence.items()
        }
        names = tuple(task.short for task in self.candidates)
        ranked = ranking(scores, candidates=names)
        taken = best(ranked, number=self.rule.number, candidates=names)
        return {
            "by": list(scores),
            "taken": list(taken),
            "ranking": [{"task": each.task, "rank": each.rank, "scores": dict(each.scores)} for each in ranked],
            "unknown": sorted(set(names) - {each.task for each in ranked}),
            "seconds": round(time.perf_counter() - begun, 2),
        }, ()

    def taken(self, entry: Entry) -> tuple[Task, ...]:
        """The chosen sources, in the order of their names."""
        by_name = {task.short: task for task in self.candidates}
        return tuple(by_name[name] for name in entry.card.result["taken"])


def selection_results(stage: SelectSourcesStage | None) -> dict[str, Any] | None:
    """The choice and its evidence as JSON, with the stages that they came from; None where there was none."""
    if stage is None:
        return None
    result = dict(stage.result(stage.family.context.store).card.result)
    del result["seconds"]
    evidence = {name: evidence.spec() for name, evidence in stage.evidence.items()}
    return {"number": stage.rule.number, **result, "stage": f"{stage.kind}-{stage.digest}", "evidence": evidence}


@dataclass(frozen=True)
class SelectionPolicy:
    """How sources are chosen, whatever the target: criteria by name, how many are taken."""

    criteria: Mapping[str, Criterion]
    by: Mapping[str, Any]  # the criteria's configurations
    number: int

    @classmethod
    def of(cls, config: DictConfig) -> SelectionPolicy | None:
        """What `choice` of a configuration says, None where nothing is to be chosen.

        Raises:
            ConfigurationError: what a criterion is made of is none, or a number below 1.
        """
        by = plain(config.choice.by)
        if not by:
            return None
        criteria = {name: _criterion(name, config=each) for name, each in by.items()}
        if config.choice.number < 1:
            raise ConfigurationError(f"choice.number must be at least 1, not {config.choice.number}")
        return cls(criteria, by, config.choice.number)

    def stage(
        self, factory: StageFactory, *, target: Task, candidates: Sequence[Task], seed: int
    ) -> SelectSourcesStage:
        """The choice among these candidates; nothing runs.

        Raises:
            ConfigurationError: there are fewer than are to be taken.
        """
        if self.number > len(candidates):
            names = ", ".join(task.short for task in candidates)
            raise ConfigurationError(
                f"choice.number is {self.number}, but {target.short} has only these candidates for sources: {names}"
            )

        ordered = tuple(sorted(candidates, key=lambda task: task.short))  # as the digest has them

        def made() -> SelectSourcesStage:
            evidence = {
                name: criterion.evidence(factory, target=target, candidates=ordered, seed=seed)
                for name, criterion in self.criteria.items()
            }
            return SelectSourcesStage(factory.family, target, ordered, self, evidence)

        key = ("choice", id(self), id(target), tuple(map(id, ordered)), seed)
        return factory.memoize(key, made, holds=(self, target, ordered))


def _criterion(name: str, *, config: Any) -> Criterion:
    if not isinstance(config, Mapping) or "_target_" not in config:
        raise ConfigurationError(f"choice.by.{name} must say the class of a criterion in `_target_`, and its settings")
    made = bind(config)
    if not isinstance(made, Criterion):
        raise ConfigurationError(f"choice.by.{name} is a {type(made).__name__}, which is no criterion of choice")
    return made
