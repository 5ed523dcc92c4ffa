"""Baselines that every merge is compared with: models that cost less thought, and may well be as good."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dfwe.conf import conf_dir
from dfwe.config.instantiate import bind, option_file
from dfwe.config.merges import uniform
from dfwe.config.tasks import Objective, Task
from dfwe.seeding import derive
from dfwe.stages.ensemble import EnsembleStage
from dfwe.stages.evaluate import EvaluateStage
from dfwe.stages.linear_probe import LinearProbeStage
from dfwe.stages.merge import MergeStage
from dfwe.stages.train import TrainStage
from dfwe.studies.stage_factory import StageFactory
from dfwe.values.allowed import Pair
from dfwe.values.names import MIXTURE

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


def _seed_runs(study: BaselineInputs, *, num: int) -> dict[str, TrainStage] | str:
    """Return the baseline's trainings by name, or the reason why there are none."""
    if not isinstance(study.objective, Task) or MIXTURE not in study.trained:
        return "it trains on one target, with experts of its own"
    seeds = [study.seed, *(derive(study.seed, "seed run", number) for number in range(1, num))]
    return {f"seed_{seed}": study.factory.baseline(study.objective, seed=seed) for seed in seeds}


def _ensemble(study: BaselineInputs, members: Mapping[str, TrainStage]) -> EnsembleStage | str:
    factory, objective = study.factory, study.objective
    if not isinstance(objective, Task):
        return "answers to several tasks cannot be averaged"
    if factory.family.decoding(objective) not in ("labels", "candidates"):
        return "only label scores can be averaged, and its answers are not labels"
    evaluations = {name: factory.evaluation(stage, target=objective) for name, stage in members.items()}
    return EnsembleStage(factory.family, dict(members), evaluations, objective)


def load_baselines(names: Sequence[str]) -> dict[str, Baseline]:
    """Return baselines by their names, once for all studies of a sweep; ConfigurationError for an unknown name."""
    return {name: bind(option_file(conf_dir() / GROUP, name, key="baselines")) for name in names}


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
