"""Baselines of several models' answers or weights, averaged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from dfwe.config.merges import uniform
from dfwe.config.tasks import Task
from dfwe.seeding import derive
from dfwe.stages.ensemble import EnsembleStage
from dfwe.stages.merge import MergeStage
from dfwe.stages.train import TrainStage
from dfwe.studies.baselines.base import NO_SOURCES, NO_TARGET, Baseline, BaselineInputs
from dfwe.values.allowed import Pair
from dfwe.values.names import BASELINE, MIXTURE


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
class RandomPoint(Baseline):
    """The linear mixture at one draw from the Dirichlet distribution: what a search must beat to have searched.

    `merge` is a merge's configuration.
    """

    merge: Mapping[str, Any]

    def model(self, study: BaselineInputs) -> MergeStage:
        """Return the merge that keeps what it drew."""
        return study.merged(self.merge, experts=study.experts)


@dataclass(frozen=True)
class Ratatouille(Baseline):
    """The average of the single-task experts, each fine-tuned on the target (Rame et al. 2023, arXiv:2212.10445).

    There the models of other tasks, and the base model itself, are fine-tuned on the target, and averaged uniformly or
    by a greedy soup on dev: `merge` is that merge's configuration. All share one linear probe of the target, which
    `trainer.head_first` gives. Here the target's own expert was trained on it before, too, in the base model's place.
    Experts on several tasks, and early epochs, are left out.
    """

    merge: Mapping[str, Any]

    def model(self, study: BaselineInputs) -> MergeStage | str:
        """Return the merge of the experts on one task each."""
        if MIXTURE not in study.trained:
            return NO_SOURCES
        if study.trained is study.experts:
            return "experts are not fine-tuned on the target"
        names = [task.short for task in (study.objective, *study.sources) if isinstance(task, Task)]
        experts = {name: study.experts[name] for name in names}
        return study.merged(self.merge, experts=experts)


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
        return study.merged(uniform(), experts=members)


@dataclass(frozen=True)
class SeedEnsemble(Baseline):
    """The ensemble of the answers of the same trainings."""

    num_seeds: Pair

    def model(self, study: BaselineInputs) -> EnsembleStage | str:
        """Return the stage over their evaluations."""
        members = _seed_runs(study, num=self.num_seeds)
        return members if isinstance(members, str) else _ensemble(study, members)


def without_label_scores(study: BaselineInputs) -> str:
    """Return the reason why models have no label scores in common; empty where they have."""
    if not isinstance(study.objective, Task):
        return "answers to several tasks cannot be averaged"
    if study.factory.family.decoding(study.objective) not in ("labels", "candidates"):
        return "only label scores can be averaged, and its answers are not labels"
    return ""


def _seed_runs(study: BaselineInputs, *, num: int) -> dict[str, TrainStage] | str:
    """Return the baseline's trainings by name, or the reason why there are none."""
    target = study.trained_target
    if target is None:
        return NO_TARGET
    seeds = [study.seed, *(derive(study.seed, "seed run", number) for number in range(1, num))]
    return {
        f"seed_{seed}": study.factory.baseline(target, seed=seed, name=f"{BASELINE}, seed run {n}" if n else BASELINE)
        for n, seed in enumerate(seeds)
    }


def _ensemble(study: BaselineInputs, members: Mapping[str, TrainStage]) -> EnsembleStage | str:
    factory, objective = study.factory, study.objective
    if reason := without_label_scores(study):
        return reason
    assert isinstance(objective, Task)
    evaluations = {name: factory.evaluation(stage, target=objective) for name, stage in members.items()}
    return EnsembleStage(factory.family, dict(members), evaluations, objective)
