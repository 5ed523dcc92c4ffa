"""Baselines that every merge is compared with: models that cost less thought, and may well be as good."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Annotated, Any

from dfwe.conf import conf_dir
from dfwe.config.instantiate import bind, option_file
from dfwe.config.merges import uniform
from dfwe.config.tasks import Objective, Task
from dfwe.config.unlabelled import Pool
from dfwe.errors import ConfigurationError
from dfwe.families.base import TrainingRecipe
from dfwe.seeding import derive
from dfwe.stages.distillation import StudentStage, TeacherStage
from dfwe.stages.ensemble import EnsembleStage
from dfwe.stages.evaluate import EvaluateStage
from dfwe.stages.linear_probe import LinearProbeStage
from dfwe.stages.merge import MergeStage
from dfwe.stages.train import TrainStage
from dfwe.studies.stage_factory import StageFactory
from dfwe.values.allowed import Count, OneOf, Pair, Positive
from dfwe.values.check import check_part
from dfwe.values.names import BASELINE, MIXTURE

log = logging.getLogger(__name__)

GROUP = "baseline"
EvaluatedModel = TrainStage | MergeStage | EnsembleStage
Tested = EvaluateStage | EnsembleStage


@dataclass(frozen=True)
class BaselineInputs:
    """What of a study a baseline may be made from: all stages come from its factory, so that none is made twice."""

    factory: StageFactory
    objective: Objective
    trained: Mapping[str, TrainStage]  # the experts on S*
    experts: Mapping[str, TrainStage]  # what is merged
    seed: int
    sources: tuple[Task, ...] = ()
    merge: MergeStage | None = None  # that was asked for


class Baseline(ABC):
    """A model that a merge is compared with."""

    @abstractmethod
    def model(self, study: BaselineInputs) -> EvaluatedModel | str:
        """Return the stage that makes it, or the reason why this study cannot have it."""


@dataclass(frozen=True)
class Ensemble(Baseline):
    """The label that the experts together find likeliest: what merging approximates, at n times the cost."""

    def model(self, study: BaselineInputs) -> EnsembleStage | str:
        """Return the stage over the experts' own evaluations."""
        return _ensemble(study, study.experts)


@dataclass(frozen=True)
class WeightedEnsemble(Ensemble):
    """The ensemble with weights that are found on dev, where a merge would search those of the models themselves.

    `weights` is the configuration of `EnsembleWeights`.
    """

    weights: Mapping[str, Any]

    def model(self, study: BaselineInputs) -> EnsembleStage | str:
        """Return the stage over the experts' own evaluations, with the weights."""
        stage, objective = super().model(study), study.objective
        if isinstance(objective, Task) and objective.scorer.functions:
            return "weights are found by counts, which a function of one's own has not"
        return stage if isinstance(stage, str) else replace(stage, weights=self.weights, seed=study.seed)


@dataclass(frozen=True)
class Multitask(Baseline):
    """One model trained on the target and all sources together, neither fine-tuned nor merged."""

    def model(self, study: BaselineInputs) -> TrainStage | str:
        """Return the expert on {t} and S as it was before its fine-tuning."""
        if MIXTURE not in study.trained:
            return "its experts were trained elsewhere"
        if study.trained is study.experts:
            return "experts are not fine-tuned, so it is one of them"
        return study.trained[MIXTURE]


@dataclass(frozen=True)
class RandomPoint(Baseline):
    """The linear mixture at one draw from the Dirichlet distribution: what a search must beat to have searched.

    `merge` is a merge's configuration.
    """

    merge: Mapping[str, Any]

    def model(self, study: BaselineInputs) -> MergeStage:
        """Return the merge that keeps what it drew."""
        return study.factory.merge(self.merge, experts=study.experts, target=study.objective, seed=study.seed)


@dataclass(frozen=True)
class SameCompute(Baseline):
    """The parent on the target alone, for as many steps as all experts are allowed together; its best epoch is kept.

    Steps are counted as planned: early stopping may let the study itself do with fewer. It ends before them where as
    many epochs as a plain fine-tuning is allowed bring no gain on dev. Without it the equally trained baseline is the
    expert of the target itself.
    """

    def model(self, study: BaselineInputs) -> TrainStage | str:
        """Return the longer training."""
        if not isinstance(study.objective, Task):
            return "it trains on one target alone"
        stages = {stage.digest: stage for stage in (*study.trained.values(), *study.experts.values())}
        plain = study.factory.baseline(study.objective, seed=study.seed)
        num_epochs = plain.recipe.fit["epochs"]
        steps_per_epoch = plain.num_planned_steps / num_epochs
        num_steps = sum(stage.num_planned_steps for stage in stages.values())
        epochs = max(num_epochs, round(num_steps / steps_per_epoch))
        return study.factory.baseline(study.objective, seed=study.seed, epochs=epochs)


@dataclass(frozen=True)
class SeedSoup(Baseline):
    """The mean weights of the target's own baseline, trained with `num_seeds` seeds: a model soup without sources.

    The first of them is the study's own baseline (Wortsman et al. 2022, the uniform soup).
    """

    num_seeds: Pair

    def model(self, study: BaselineInputs) -> MergeStage | str:
        """Return their uniform merge."""
        members = _seed_runs(study, num=self.num_seeds)
        if isinstance(members, str):
            return members
        return study.factory.merge(uniform(), experts=members, target=study.objective, seed=study.seed)


@dataclass(frozen=True)
class SeedEnsemble(Baseline):
    """The ensemble of the answers of the same trainings."""

    num_seeds: Pair

    def model(self, study: BaselineInputs) -> EnsembleStage | str:
        """Return the stage over their evaluations."""
        members = _seed_runs(study, num=self.num_seeds)
        return members if isinstance(members, str) else _ensemble(study, members)


@dataclass(frozen=True)
class Probe(Baseline):
    """The base model's frozen encoder with a linear probe: what its features alone are worth, in seconds."""

    def model(self, study: BaselineInputs) -> TrainStage | str:
        """Return the stage over the head that models start from."""
        family, objective = study.factory.family, study.objective
        if not isinstance(objective, Task) or not family.head_trainings((objective,)):
            return "its models have no head that is fitted first (trainer.head_first)"
        return LinearProbeStage.of(family, target=objective)


@dataclass(frozen=True)
class Student(Baseline):
    """One model of the usual size that learns from a teacher's answers to texts whose labels are not used.

    `max_texts` of them at most. `patience` and the cap of `epochs` are as of any training, and so is `learning_rate`,
    null for that of a fine-tuning.
    """

    temperature: Positive
    epochs: Count
    patience: Count
    learning_rate: Positive | None
    max_texts: Count

    @abstractmethod
    def teacher(self, study: BaselineInputs) -> Teacher | str:
        """Return what teaches, and what the student may start from beside the parent; or a reason why none can."""

    def model(self, study: BaselineInputs) -> StudentStage | str:
        """Return the student's training."""
        factory, target, teacher = study.factory, study.objective, self.teacher(study)
        if isinstance(teacher, str):
            return teacher
        assert isinstance(target, Task)
        pool = Pool(target, study.sources, self.max_texts, study.seed)
        if not pool.instances(factory.family.context.data):
            return "no text is left whose label is not used: set data.shots, or data.unlabelled=sources or a table"
        stage = TeacherStage(factory.family, teacher.members, teacher.ensemble, pool)
        trainer = factory.family.context.trainer
        rate = trainer["finetune"]["learning_rate"] if self.learning_rate is None else self.learning_rate
        fit = {"epochs": self.epochs, "patience": self.patience, "learning_rate": rate, "stop_on": "target"}
        recipe = TrainingRecipe(teacher.student, (target,), target, fit, trainer["batch_size"], factory.family.options)
        return StudentStage(factory.family, recipe, None, study.seed, stage, teacher.starts, self.temperature)


@dataclass(frozen=True)
class Teacher:
    """Models whose answers are taught, the stage that weighs them if one does, and the student's name and starts."""

    student: str
    members: Mapping[str, TrainStage]
    ensemble: EnsembleStage | None
    starts: Mapping[str, TrainStage | MergeStage]


@dataclass(frozen=True)
class Distilled(Student):
    """The ensemble of the experts taught to one model, which starts from the best of parent, merge and experts.

    `ensemble` is the name of the baseline that teaches.
    """

    ensemble: Annotated[str, OneOf("ensemble", "ensemble_search", "ensemble_greedy")]

    def teacher(self, study: BaselineInputs) -> Teacher | str:
        """Return the experts, with the weights of the ensemble."""
        ensemble = load_baselines([self.ensemble])[self.ensemble].model(study)
        if isinstance(ensemble, str):
            return ensemble
        assert isinstance(ensemble, EnsembleStage)
        if MIXTURE not in study.trained:
            return "its experts were trained elsewhere"
        is_lora = study.factory.family.settings.lora is not None  # a merge has no factors to go on from
        merge = {} if study.merge is None or is_lora else {f"merge {study.merge.name}": study.merge}
        weighted = None if ensemble.weights is None else ensemble
        return Teacher("distilled", study.experts, weighted, {**merge, **study.experts})


@dataclass(frozen=True)
class SelfTraining(Student):
    """The baseline taught its own answers to the same texts: what these bring without sources."""

    def teacher(self, study: BaselineInputs) -> Teacher | str:
        """Return the baseline alone."""
        if MIXTURE not in study.trained:
            return "its experts were trained elsewhere"
        if reason := _without_label_scores(study):
            return reason
        assert isinstance(study.objective, Task)
        baseline = {BASELINE: study.factory.baseline(study.objective, seed=study.seed)}
        return Teacher("self_training", baseline, None, dict(baseline))


def _seed_runs(study: BaselineInputs, *, num: int) -> dict[str, TrainStage] | str:
    """Return the baseline's trainings by name, or the reason why there are none."""
    if not isinstance(study.objective, Task) or MIXTURE not in study.trained:
        return "it trains on one target, with experts of its own"
    seeds = [study.seed, *(derive(study.seed, "seed run", number) for number in range(1, num))]
    return {f"seed_{seed}": study.factory.baseline(study.objective, seed=seed) for seed in seeds}


def _ensemble(study: BaselineInputs, members: Mapping[str, TrainStage]) -> EnsembleStage | str:
    factory, objective = study.factory, study.objective
    if reason := _without_label_scores(study):
        return reason
    assert isinstance(objective, Task)
    evaluations = {name: factory.evaluation(stage, target=objective) for name, stage in members.items()}
    return EnsembleStage(factory.family, dict(members), evaluations, objective)


def _without_label_scores(study: BaselineInputs) -> str:
    """Return the reason why models have no label scores in common; empty where they have."""
    if not isinstance(study.objective, Task):
        return "answers to several tasks cannot be averaged"
    if study.factory.family.decoding(study.objective) not in ("labels", "candidates"):
        return "only label scores can be averaged, and its answers are not labels"
    return ""


def load_baselines(names: Sequence[str], *, settings: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Baseline]:
    """Return baselines by their names, once for all studies of a sweep; `settings` are changes to theirs, by name.

    Raises:
        ConfigurationError: an unknown name, or a setting that a baseline does not have.
    """
    options = {name: option_file(conf_dir() / GROUP, name, key="baselines") for name in names}
    if unused := set(settings) - set(options):
        raise ConfigurationError(f"baseline_settings has {', '.join(sorted(unused))}, which baselines= does not name")
    changed = {name: option | dict(settings.get(name, {})) for name, option in options.items()}
    for name in settings:
        check_part(changed[name], key=f"baseline_settings.{name}")
    return {name: bind(option) for name, option in changed.items()}


def baseline_models(baselines: Mapping[str, Baseline], *, study: BaselineInputs) -> dict[str, EvaluatedModel]:
    """Return the models of baselines by name; the reason for one that a study cannot have is logged."""
    models: dict[str, EvaluatedModel] = {}
    for name, baseline in baselines.items():
        model = baseline.model(study)
        if isinstance(model, str):
            log.info("no baseline %s for %s: %s", name, study.objective.name, model)
        else:
            models[name] = model
    return models


def evaluated(
    models: Mapping[str, EvaluatedModel], *, factory: StageFactory, objective: Objective
) -> dict[str, Tested]:
    """Return the evaluations of models on test; an ensemble is its own."""
    return {
        name: model if isinstance(model, EnsembleStage) else factory.evaluation(model, target=objective)
        for name, model in models.items()
    }
