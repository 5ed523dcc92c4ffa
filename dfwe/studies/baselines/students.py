"""Baselines that learn from other models' answers to texts whose labels are not used."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from dfwe.config.tasks import Task
from dfwe.config.unlabelled import Pool
from dfwe.families.base import TrainingRecipe
from dfwe.stages.distillation import StudentStage, TeacherStage
from dfwe.stages.ensemble import EnsembleStage
from dfwe.stages.merge import MergeStage
from dfwe.stages.train import TrainStage
from dfwe.studies.baselines.averages import without_label_scores
from dfwe.studies.baselines.base import NO_TARGET, Baseline, BaselineInputs, load_baselines
from dfwe.values.allowed import Count, OneOf, Positive
from dfwe.values.names import BASELINE


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

    `ensemble` is the name of the baseline that teaches, with the settings that it has in the study.
    """

    ensemble: Annotated[str, OneOf("ensemble", "ensemble_search", "ensemble_greedy")]

    def teacher(self, study: BaselineInputs) -> Teacher | str:
        """Return the experts, with the weights of the ensemble."""
        listed = study.listed if self.ensemble in study.listed else load_baselines([self.ensemble])
        ensemble = listed[self.ensemble].model(study)
        if isinstance(ensemble, str):
            return ensemble
        assert isinstance(ensemble, EnsembleStage)
        if study.trained_target is None:
            return NO_TARGET
        is_lora = study.factory.family.settings.lora is not None  # a merge has no factors to go on from
        merge = {} if study.merge is None or is_lora else {f"merge {study.merge.name}": study.merge}
        weighted = None if ensemble.weights is None else ensemble
        return Teacher("distilled", study.experts, weighted, {**merge, **study.experts})


@dataclass(frozen=True)
class SelfTraining(Student):
    """The baseline taught its own answers to the same texts: what these bring without sources."""

    def teacher(self, study: BaselineInputs) -> Teacher | str:
        """Return the baseline alone."""
        target = study.trained_target
        if target is None:
            return NO_TARGET
        if reason := without_label_scores(study):
            return reason
        baseline = {BASELINE: study.factory.baseline(target, seed=study.seed)}
        return Teacher("self_training", baseline, None, dict(baseline))
