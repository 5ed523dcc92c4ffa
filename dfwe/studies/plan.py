"""From a configuration to the study's graph of stages: everything is checked and bound here, before any training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from omegaconf import DictConfig

from dfwe.config.tasks import Task
from dfwe.families.base import ModelFamily
from dfwe.stages.base import Stage, each_once
from dfwe.stages.diagnostics.base import Probed, probed
from dfwe.stages.ensemble import EnsembleStage
from dfwe.stages.evaluate import EvaluateStage
from dfwe.stages.merge import MergeStage
from dfwe.stages.mixture import MixtureStage
from dfwe.stages.train import TrainStage
from dfwe.studies.baselines.base import Subject, Surroundings, subjects
from dfwe.studies.context import study_family
from dfwe.studies.decoding_comparison import Agreement, plan_agreement
from dfwe.studies.source_selection.stage import ChoiceStage
from dfwe.studies.sources import study_tasks
from dfwe.studies.spec import Design
from dfwe.studies.stage_factory import Workshop
from dfwe.values.names import UNIFORM

Tested = EvaluateStage | EnsembleStage


@dataclass(frozen=True)
class Study:
    """The stages of one study, by their part in it.

    `trained` are the experts on S*, `experts` what is merged: each of them fine-tuned on the target (or not, if that is
    skipped). `mixtures` are merges' best ones, experts apart. `choice` found the sources, where they were chosen.
    """

    family: ModelFamily
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
    mixtures: Mapping[str, MixtureStage]
    agreement: Agreement
    probes: tuple[Probed, ...]
    choice: ChoiceStage | None

    @property
    def asked(self) -> str | None:
        """The merge that was asked for (the last one); uniform if there is no other, None without merges."""
        return _asked(self.merges)

    @property
    def models(self) -> dict[str, Subject]:
        """Its models in the order of its table, by name."""
        baseline = {} if self.baseline is None else {"baseline": self.baseline}
        return {**baseline, **(self.experts or self.trained), **self.controls, **self.merges}

    @property
    def undecided(self) -> bool:
        """False: its sources are known, so are all of its stages."""
        return False

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
        if self.choice is not None:
            yield from self.choice.parts()
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
        yield from (("evaluate", stage) for stage in self.mixtures.values())
        yield from (("evaluate", stage) for stage in self.agreement.all_stages())
        yield from (("probe", stage) for each in self.probes for stage in each.stages)


def single(evaluations: Mapping[str, Tested]) -> dict[str, EvaluateStage]:
    """Those of one model: an ensemble has no way of answering of its own."""
    return {name: stage for name, stage in evaluations.items() if isinstance(stage, EvaluateStage)}


def _asked(merges: Mapping[str, MergeStage]) -> str | None:
    names = [name for name in merges if name != UNIFORM] or list(merges)
    return names[-1] if names else None


@dataclass(frozen=True)
class Draft:
    """A study whose sources may have to be chosen first; all candidates are its sources where `choice` is None."""

    design: Design
    workshop: Workshop
    pretraining: tuple[Stage, ...]
    target: Task
    candidates: tuple[Task, ...]
    seed: int
    choice: ChoiceStage | None

    @classmethod
    def of(
        cls,
        design: Design,
        *,
        workshop: Workshop,
        pretraining: tuple[Stage, ...],
        target: Task,
        candidates: tuple[Task, ...],
        seed: int,
    ) -> Draft:
        """The draft, made in the workshop; ConfigurationError for a choice of more than there are."""
        rule = design.choice
        choice = None if rule is None else rule.stage(workshop, target=target, candidates=candidates, seed=seed)
        return cls(design, workshop, pretraining, target, candidates, seed, choice)

    @property
    def family(self) -> ModelFamily:
        """What its stages share."""
        return self.workshop.family

    @property
    def undecided(self) -> bool:
        """True: what follows the choice is not known."""
        return True

    def parts(self) -> Iterator[tuple[str, Stage]]:
        """The stages up to the choice, each after those it needs; none where nothing is chosen."""
        if self.choice is not None:
            yield from (("parent", stage) for stage in self.pretraining)
            yield from self.choice.parts()

    def study(self) -> Study:
        """The study; its choice is made now if the store has none."""
        if self.choice is None:
            return wire(self, sources=self.candidates)
        return wire(self, sources=self.choice.taken(self.choice.result(self.family.context.store)))

    def known(self) -> Study | Draft:
        """What is known before anything runs: the study, or this draft where its choice is still to be made."""
        chosen = self.choice is None or self.choice.find(self.family.context.store) is not None
        return self.study() if chosen else self


def plan_study(config: DictConfig) -> Study:
    """The study that a composed configuration describes; where its sources are to be chosen they are chosen now.

    Raises:
        what `draft_study` raises.
    """
    return draft_study(config).study()


def draft_study(config: DictConfig) -> Draft:
    """What a composed configuration describes, before its sources are chosen.

    Raises:
        ConfigurationError: no target, target among the sources, no source, an unknown stage name, ...
        DataError: the corpus, or the split of a task that training needs, is missing, broken or empty.
    """
    target, sources = study_tasks(config)
    design = Design.of(config)
    family, pretraining = study_family(config, tasks=(target, *sources))
    target, sources = family.adapt(target), tuple(family.adapt(task) for task in sources)
    for task in (target, *sources):  # empty splits and unknown labels show before any training
        for split in ("train", "dev"):
            family.context.data.instances(task, split=split)
    return Draft.of(
        design,
        workshop=Workshop(family),
        pretraining=pretraining,
        target=target,
        candidates=sources,
        seed=config.seed,
    )


def wire(draft: Draft, *, sources: Sequence[Task]) -> Study:
    """The study with these sources, its stages made in the draft's workshop; nothing is read and nothing runs.

    Raises:
        ConfigurationError: an argument of a merge, or a way of agreement, that cannot work.
    """
    design, workshop, target, seed = draft.design, draft.workshop, draft.target, draft.seed
    family, runs = workshop.family, design.runs
    finetuned = "finetune" in runs
    trained = workshop.on_s_star(target, sources=sources, seed=seed, finetuned=finetuned)
    experts = workshop.finetuned(trained, target=target, seed=seed) if finetuned else trained
    baseline = workshop.baseline(target, seed=seed) if "baseline" in runs else None
    configs = design.merges_of(len(experts)) if "merge" in runs else ()
    merges = {each["name"]: workshop.merge(each, experts=experts, target=target, seed=seed) for each in configs}
    held_against: dict[str, Subject] = {}
    if merges and "evaluate" in runs:
        around = Surroundings(workshop, target, tuple(sources), trained, experts, seed)
        held_against = subjects(design.controls, study=around)
    probes = probed(design.probes if "evaluate" in runs else {}, merge=merges.get(_asked(merges) or ""))
    models = ({"baseline": baseline} if baseline else {}) | dict(experts) | dict(merges) | held_against
    models = models if "evaluate" in runs else {}
    evaluations: dict[str, Tested] = {
        name: model if isinstance(model, EnsembleStage) else workshop.evaluation(model, target=target)
        for name, model in models.items()
    }
    searched = {name: merge for name, merge in merges.items() if name in models and name != UNIFORM}
    mixtures = {name: workshop.mixture(merge) for name, merge in searched.items()}
    agreement = plan_agreement(
        design.agreement, target=target, family=family, tested=single(evaluations), asked=_asked(merges)
    )
    return Study(
        family,
        target,
        tuple(sources),
        seed,
        draft.pretraining,
        trained,
        experts if finetuned else {},
        baseline,
        merges,
        held_against,
        evaluations,
        mixtures,
        agreement,
        probes,
        draft.choice,
    )
