"""A study: which models are trained, merged and compared, and in which rounds its stages can be known."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dfwe.config.tasks import Objective, Task
from dfwe.families.base import ModelFamily
from dfwe.stages.base import Stage, unique_parts
from dfwe.stages.diagnostics.base import PlannedDiagnostic
from dfwe.stages.distillation import StudentStage
from dfwe.stages.ensemble import EnsembleStage
from dfwe.stages.evaluate import EvaluateStage
from dfwe.stages.merge import MergeStage
from dfwe.stages.mixture import MixtureStage
from dfwe.stages.train import TrainStage
from dfwe.studies.baselines.base import EvaluatedModel, Tested
from dfwe.studies.decoding_comparison import DecodingComparison
from dfwe.studies.source_selection.stage import SelectSourcesStage
from dfwe.values.names import BASELINE, UNIFORM

Part = tuple[str, Stage]  # the part that a stage plays in a study, and the stage


@dataclass(frozen=True)
class Listing:
    """What a study of models that its configuration lists has beside: `config` is `multitask`.

    `candidates` are merged; `titles` and `members` are of merges, `ablation` names those of some candidates alone.
    """

    config: Mapping[str, Any]
    candidates: tuple[str, ...]
    titles: Mapping[str, str]
    members: Mapping[str, tuple[str, ...]]
    ablation: tuple[str, ...]


@dataclass(frozen=True)
class Study:
    """The stages of one study, by their part in it.

    `tasks` are all tasks by the names that tables have for them, `objective` is what models are judged by: one task, or
    the mean of several. `trained` are the first trainings (the experts on S*, or the listed models), `experts` those
    that were fine-tuned on the target, none without fine-tuning. `mixtures` are merges' best ones, experts apart.
    `source_selection` selected the sources, where they were selected.
    """

    family: ModelFamily
    objective: Objective
    tasks: Mapping[str, Task]
    seed: int
    pretraining: tuple[Stage, ...]
    trained: Mapping[str, TrainStage]
    experts: Mapping[str, TrainStage] = field(default_factory=dict)
    baseline: TrainStage | None = None
    merges: Mapping[str, MergeStage] = field(default_factory=dict)
    baselines: Mapping[str, EvaluatedModel] = field(default_factory=dict)
    evaluations: Mapping[str, Tested] = field(default_factory=dict)
    mixtures: Mapping[str, MixtureStage] = field(default_factory=dict)
    decoding_comparison: DecodingComparison = field(default_factory=DecodingComparison)
    diagnostics: tuple[PlannedDiagnostic, ...] = ()
    source_selection: SelectSourcesStage | None = None
    listing: Listing | None = None

    @property
    def target(self) -> Task:
        """Target of a study that has one."""
        assert isinstance(self.objective, Task)
        return self.objective

    @property
    def sources(self) -> tuple[Task, ...]:
        """Tasks beside the target."""
        return tuple(task for task in self.tasks.values() if task is not self.objective)

    @property
    def headline(self) -> str | None:
        """Name of the headline's merge, see `headline_merge`; None of a study that lists its merges."""
        return headline_merge(self.merges) if self.listing is None else None

    @property
    def models(self) -> dict[str, EvaluatedModel]:
        """Models in the order of the table, by name."""
        baseline = {} if self.baseline is None else {BASELINE: self.baseline}
        return {**baseline, **(self.experts or self.trained), **self.baselines, **self.merges}

    @property
    def is_resolved(self) -> bool:
        """True: all of its stages are known."""
        return True

    @property
    def tested(self) -> dict[str, EvaluateStage]:
        """Evaluations of single models."""
        return single(self.evaluations)

    def stages(self) -> Iterator[Part]:
        """Yield every stage with its part, each after those it needs; one that plays two parts comes once."""
        return unique_parts(self.parts())

    def parts(self) -> Iterator[Part]:
        """Yield the same with repetitions."""
        yield from (("parent", stage) for stage in self.pretraining)
        if self.source_selection is not None:
            yield from self.source_selection.parts()
        yield from (("parent", head) for stage in self.trained.values() for head in stage.heads)
        yield from (("train", stage) for stage in self.trained.values())
        yield from (("finetune", stage) for stage in self.experts.values())
        if self.baseline is not None:
            yield "baseline", self.baseline
        for merge in self.merges.values():
            yield from (("merge", stage) for stage in merge.statistics)
            yield "merge", merge
        for subject in self.baselines.values():
            if isinstance(subject, StudentStage):
                yield from (("evaluate", stage) for stage in subject.teacher.stages)
            if isinstance(subject, MergeStage | EnsembleStage):  # of trainings of its own, as a rule of the study's
                yield from (("baseline", stage) for stage in subject.experts.values())
            if isinstance(subject, EnsembleStage):
                yield from (("evaluate", stage) for stage in subject.tested.values())
            if not isinstance(subject, EnsembleStage):  # which is its own evaluation, of the experts' ones
                yield ("merge" if isinstance(subject, MergeStage) else "baseline"), subject
        yield from (("evaluate", stage) for stage in self.evaluations.values())
        yield from (("evaluate", stage) for stage in self.mixtures.values())
        yield from (("evaluate", stage) for stage in self.decoding_comparison.all_stages())
        yield from (("probe", stage) for planned in self.diagnostics for stage in planned.stages)


class StudyPlan(ABC):
    """A study before it runs: what is trained, or merged, may depend on results of its first stages."""

    @property
    @abstractmethod
    def family(self) -> ModelFamily:
        """Family of its models."""

    @property
    @abstractmethod
    def name(self) -> tuple[str, tuple[str, ...]] | None:
        """Objective and tasks in words; None until the first stages are made."""

    def check_models(self) -> None:  # noqa: B027  # most studies bring none
        """Check models that were trained elsewhere, before one is loaded; DfweError for one that does not fit."""

    def parts(self) -> Iterator[Part]:
        """Yield the stages on whose results the others depend, each after those it needs; none where none do."""
        yield from ()

    @abstractmethod
    def resolve(self) -> Study:
        """Return the study; the stages of `parts` are made now where the store lacks them."""

    @property
    def is_resolved(self) -> bool:
        """True if the store has the results on which other stages depend."""
        return all(stage.find(self.family.context.store) is not None for _, stage in self.parts())

    def resolve_if_ready(self) -> Study | StudyPlan:
        """Return the study where the store has all that it depends on, else this plan; nothing runs."""
        return self.resolve() if self.is_resolved else self

    def rounds(self) -> Iterator[list[Part]]:
        """Yield lists of stages, each known once the one before is in the store."""
        first = list(unique_parts(self.parts()))
        yield first
        done = {stage.digest for _, stage in first}
        yield [(part, stage) for part, stage in self.resolve().stages() if stage.digest not in done]


def single(evaluations: Mapping[str, Tested]) -> dict[str, EvaluateStage]:
    """Return those of one model: an ensemble does not answer by itself."""
    return {name: stage for name, stage in evaluations.items() if isinstance(stage, EvaluateStage)}


def headline_merge(merges: Mapping[str, MergeStage]) -> str | None:
    """Return the name of the last merge that is not the uniform one; uniform if there is no other."""
    names = [name for name in merges if name != UNIFORM] or list(merges)
    return names[-1] if names else None
