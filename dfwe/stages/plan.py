"""From a configuration to the study's graph of stages: everything is checked and bound here, before any training."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from omegaconf import DictConfig

from dfwe.errors import ConfigurationError
from dfwe.evaluation.generate import ReferenceDecoding
from dfwe.stages.agreement import Agreement, plan_agreement
from dfwe.stages.base import Stage, each_once
from dfwe.stages.bench import TextBench
from dfwe.stages.configs import basis, plain
from dfwe.stages.controls.base import Subject, Surroundings, controls
from dfwe.stages.controls.ensemble_stage import EnsembleStage
from dfwe.stages.evaluate import EvaluateStage
from dfwe.stages.merge import MergeStage
from dfwe.stages.merge_options import uniform, with_pick, zoo
from dfwe.stages.pretrain import parent_stages
from dfwe.stages.study_data import token_limits
from dfwe.stages.subset import chosen_sources
from dfwe.stages.tasks import Task, build_task
from dfwe.stages.train import TrainStage
from dfwe.stages.workshop import Workshop

ORDER = ("train", "finetune", "baseline", "merge", "evaluate")
UNIFORM = "uniform"  # the merge that every study has
T = TypeVar("T")
Tested = EvaluateStage | EnsembleStage


@dataclass(frozen=True)
class Study:
    """The stages of one study, by their part in it.

    `trained` are the experts on S*, `experts` what is merged: each of them fine-tuned on the target (or not, if that is
    skipped).
    """

    bench: TextBench
    target: Task
    sources: tuple[Task, ...]
    seed: int
    pretraining: tuple[Stage, ...]
    trained: Mapping[str, TrainStage]
    experts: Mapping[str, TrainStage]
    baseline: TrainStage | None
    merges: Mapping[str, MergeStage]
    controls: Mapping[str, Subject]
    evaluations: Mapping[str, Tested]
    agreement: Agreement

    @property
    def asked(self) -> str | None:
        """The merge that was asked for (the last one); uniform if there is no other, None without merges."""
        return _asked(self.merges)

    @property
    def tested(self) -> dict[str, EvaluateStage]:
        """The evaluations of single models."""
        return single(self.evaluations)

    def stages(self) -> Iterator[tuple[str, Stage]]:
        """Every stage with its part, each after those it needs; one that plays two parts comes once."""
        return each_once(self.parts())

    def parts(self) -> Iterator[tuple[str, Stage]]:
        """The same with repetitions."""
        yield from (("parent", stage) for stage in self.pretraining)
        yield from (("train", stage) for stage in self.trained.values())
        yield from (("finetune", stage) for stage in self.experts.values())
        if self.baseline is not None:
            yield "baseline", self.baseline
        for merge in self.merges.values():
            yield from (("merge", stage) for stage in merge.statistics)
            yield "merge", merge
        for subject in self.controls.values():
            if not isinstance(subject, EnsembleStage):  # which is its own evaluation, of the experts' ones
                yield ("merge" if isinstance(subject, MergeStage) else "baseline"), subject
        yield from (("evaluate", stage) for stage in self.evaluations.values())
        yield from (("evaluate", stage) for stage in self.agreement.all_stages())


def single(evaluations: Mapping[str, Tested]) -> dict[str, EvaluateStage]:
    """Those of one model: an ensemble has no way of answering of its own."""
    return {name: stage for name, stage in evaluations.items() if isinstance(stage, EvaluateStage)}


def _asked(merges: Mapping[str, MergeStage]) -> str | None:
    names = [name for name in merges if name != UNIFORM] or list(merges)
    return names[-1] if names else None


@dataclass(frozen=True)
class Design:
    """What a configuration says of a study whatever its target, sources and seed: plain Python, read once."""

    runs: frozenset[str]
    merges: tuple[dict[str, Any], ...]  # the uniform mixture first
    zoo: dict[str, Any] | None
    controls: tuple[str, ...]
    agreement: tuple[str, ...]

    @classmethod
    def of(cls, config: DictConfig) -> Design:
        """That of a composed configuration; ConfigurationError for an unknown stage, or two merges of one name."""
        asked = [plain(config.merges[name]) for name in config.merges]
        asked += [plain(config.merge)] if config.merge is not None else []
        zoo = None if config.zoo is None else plain(config.zoo)
        return cls(_runs(config.stages), _distinct(asked), zoo, tuple(config.controls), tuple(config.agreement))

    def merges_of(self, num_experts: int) -> tuple[dict[str, Any], ...]:
        """The merges of so many experts."""
        if self.zoo is None:
            return self.merges
        return _distinct([*zoo(self.zoo, num_experts=num_experts), *self.merges[1:]])


def plan_study(config: DictConfig) -> Study:
    """The study that a composed configuration describes.

    Raises:
        ConfigurationError: no target, target among the sources, no source, an unknown stage name, ...
        DataError: the corpus, or the split of a task that training needs, is missing, broken or empty.
    """
    target, sources = study_tasks(config)
    design = Design.of(config)
    bench, pretraining = study_bench(config, tasks=(target, *sources))
    for task in (target, *sources):  # empty splits and unknown labels show before any training
        for split in ("train", "dev"):
            bench.data.instances(task, split=split)
    return wire(
        design, workshop=Workshop(bench), pretraining=pretraining, target=target, sources=sources, seed=config.seed
    )


def wire(
    design: Design,
    *,
    workshop: Workshop,
    pretraining: Sequence[Stage],
    target: Task,
    sources: Sequence[Task],
    seed: int,
) -> Study:
    """The study's stages, made in the workshop; nothing is read and nothing runs.

    Raises:
        ConfigurationError: an argument of a merge, or a way of agreement, that cannot work.
    """
    bench, runs = workshop.bench, design.runs
    finetuned = "finetune" in runs
    trained = workshop.on_s_star(target, sources=sources, seed=seed, finetuned=finetuned)
    experts = workshop.finetuned(trained, target=target, seed=seed) if finetuned else trained
    baseline = workshop.baseline(target, seed=seed) if "baseline" in runs else None
    configs = design.merges_of(len(experts)) if "merge" in runs else ()
    merges = {each["name"]: workshop.merge(each, experts=experts, target=target, seed=seed) for each in configs}
    held_against: dict[str, Subject] = {}
    if merges and "evaluate" in runs:
        around = Surroundings(workshop, target, tuple(sources), trained, experts, seed)
        held_against = controls(design.controls, study=around)
    models = ({"baseline": baseline} if baseline else {}) | dict(experts) | dict(merges) | held_against
    models = models if "evaluate" in runs else {}
    evaluations: dict[str, Tested] = {
        name: model if isinstance(model, EnsembleStage) else workshop.evaluation(model, target=target)
        for name, model in models.items()
    }
    agreement = plan_agreement(
        design.agreement, target=target, bench=bench, tested=single(evaluations), asked=_asked(merges)
    )
    return Study(
        bench,
        target,
        tuple(sources),
        seed,
        tuple(pretraining),
        trained,
        experts if finetuned else {},
        baseline,
        merges,
        held_against,
        evaluations,
        agreement,
    )


def study_tasks(config: DictConfig) -> tuple[Task, tuple[Task, ...]]:
    """The target and the sources that are taken; ConfigurationError where they are none, or not to be had together."""
    short, target = only_target(config)
    sources = candidates(short, sources=dict(config.sources), without_target=config.sources_without_target)
    taken = chosen_sources(sources, subset=plain(config.subset))
    tasks = tuple(build_task(name, config=plain(each)) for name, each in taken.items())
    return build_task(short, config=plain(target)), tasks


def only_target(config: DictConfig) -> tuple[str, Any]:
    """The target's short name and configuration; ConfigurationError where there is not exactly one."""
    if len(config.target) != 1:
        raise ConfigurationError("a study needs one target: say +target=<task>, for instance +target=meld")
    ((short, target),) = config.target.items()
    return short, target


def candidates(target: str, *, sources: Mapping[str, T], without_target: bool) -> dict[str, T]:
    """The sources that a study may take; ConfigurationError where there is none, or the target is among them."""
    found = {name: each for name, each in sources.items() if not (without_target and name == target)}
    if target in found:
        raise ConfigurationError(f"the target '{target}' is among its sources {list(found)}: leave it out of sources=")
    if not found:
        raise ConfigurationError("a study needs at least one source: say sources=[<task>,...] or sources=all")
    return found


def _runs(stages: DictConfig) -> frozenset[str]:
    """The parts of the study that run."""
    for name in (*stages.skip, stages.until):
        if name not in ORDER:
            raise ConfigurationError(f"unknown stage '{name}' in stages: choose among {', '.join(ORDER)}")
    if "train" in stages.skip:
        raise ConfigurationError(
            "stages.skip=[train] leaves nothing to merge; skip finetune, baseline, merge or evaluate"
        )
    return frozenset(name for name in ORDER[: ORDER.index(stages.until) + 1] if name not in stages.skip)


def study_bench(config: DictConfig, *, tasks: Sequence[Task]) -> tuple[TextBench, tuple[Stage, ...]]:
    """What the stages share, and the stages that make the parent; `tasks` are all that may be asked of the data.

    Sets torch's threads. Raises ConfigurationError for settings that cannot work.
    """
    base = basis(config, tasks=tasks)
    limits = token_limits(base.model, truncation=config.data.truncation, max_cut_share=config.data.max_cut_share)
    if config.decode not in ("task", "greedy", "reference"):
        raise ConfigurationError(f"decode must be task, greedy or reference, not '{config.decode}'")
    parent, stages = parent_stages(base.model, store=base.store, trainer=base.trainer, precision=base.precision)
    reference = ReferenceDecoding(**plain(config.decoding.reference))
    bench = TextBench(
        base.store, base.data, parent, limits, base.trainer, base.precision, config.decode, base.logger, reference
    )
    return bench, stages


def _distinct(asked: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    """The uniform mixture and the merges asked for, by their names; ConfigurationError where two share one."""
    configs = {each["name"]: each for each in (uniform(), *asked)}
    if len(configs) < len(asked) + (UNIFORM not in {each["name"] for each in asked}):
        raise ConfigurationError(f"two merges share a name: {[each['name'] for each in asked]}; set merges.<key>.name")
    for name in configs:
        if not re.fullmatch(r"\w[\w.+-]*", name):
            raise ConfigurationError(
                f"a merge's name becomes part of files' names: letters, digits, '_', '.', '+' and '-', not '{name}'"
            )
    return tuple(with_pick(each) for each in configs.values())
