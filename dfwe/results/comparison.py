"""Compare the models of a study on test: with the baseline, or of several tasks with the single-task models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float

from dfwe.config.tasks import TaskMean
from dfwe.families.scorer import MeanScorer
from dfwe.metrics.scorer import Scorer, mean_if_defined, scores_by_task
from dfwe.metrics.statistics import (
    bootstrap,
    delta,
    exact_p,
    holm,
    interval,
    num_clusters,
    summarize_difference,
    with_interval,
)
from dfwe.records import Evaluation
from dfwe.report.study_results import SINGLE_TASK
from dfwe.results.recommendation import best_by_dev
from dfwe.seeding import derive
from dfwe.stages.train import TrainStage
from dfwe.studies.listed_merges import complete_models
from dfwe.studies.study import Study
from dfwe.values.names import BASELINE, BEST_EXPERT, EQUALLY_TRAINED, LONG_BASELINE, UNIFORM

Resampled = Float[np.ndarray, " resamples"]


class TargetComparison:
    """Hold models' answers on the test split of one target, judged once each, and the differences between them."""

    def __init__(self, study: Study) -> None:
        self._study, self._store = study, study.family.context.store
        self.evaluations = {
            name: stage.evaluation(stage.result(self._store)) for name, stage in study.evaluations.items()
        }

    @cached_property
    def roles(self) -> Mapping[str, str]:
        """Models that the rows are compared with, by their role.

        The equally trained baseline saw the target alone and was trained as every expert was: the expert of the target
        itself, both trainings of it. Where `same_compute` is among the baselines, it takes the role.
        """
        study, experts = self._study, self._study.experts or self._study.trained
        roles = {BASELINE: BASELINE} if study.baseline is not None else {}
        if LONG_BASELINE in study.baselines:
            roles[EQUALLY_TRAINED] = LONG_BASELINE
        elif study.target.short in experts:
            roles[EQUALLY_TRAINED] = study.target.short
        dev = {name: stage.dev(stage.result(self._store)).score for name, stage in experts.items()}
        best = best_by_dev(dev, simplest_first=tuple(experts))
        roles |= {} if best is None else {BEST_EXPERT: best}
        return roles | ({UNIFORM: UNIFORM} if UNIFORM in study.merges else {})

    def scores(self, scores: Mapping[str, Any]) -> dict[str, Any]:
        """Return an evaluation's scores as rows have them."""
        return dict(scores)

    def on_test(self, name: str) -> dict[str, Any]:
        """Return a row's scores on test with their interval, and its difference to the baseline."""
        test = with_interval(self.evaluations[name], scorer=self._study.target.scorer, seed=self._study.seed)
        return {"test": test, **(self.difference(name, BASELINE) if name != BASELINE else {})}

    def difference(self, name: str, other: str) -> dict[str, Any]:
        """Return the score less the other's, as `delta` does; empty where one of them was not tested."""
        return self._less(self.evaluations.get(name), other)

    def answers(self) -> dict[str, dict[str, tuple[str, ...]]]:
        """Return each model's answers by the target's key."""
        return {self._study.target.short: {name: of.predictions for name, of in self.evaluations.items()}}

    def mixture(self, name: str, *, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a merge's best mixture, experts apart, and its differences; the merge itself where that is one.

        Empty where no mixture was tested.
        """
        stage = self._study.mixtures.get(name)
        if stage is None:
            return {}
        entry = stage.result(self._store)
        evaluation, card = stage.evaluation(entry), entry.card.result
        is_merge = evaluation is None
        source = row if is_merge else {**card, "selection": card["picked"]}
        evaluation = evaluation or self.evaluations[name]
        scores = with_interval(evaluation, scorer=self._study.target.scorer, seed=self._study.seed)
        against = [
            {"role": role, "name": other, **difference}
            for role, other in self.roles.items()
            if (difference := self._less(evaluation, other))
        ]
        return {
            "is_merge": is_merge,
            **{key: source[key] for key in ("selection", "trial", "coefficients")},
            "dev": source["dev"]["score"],
            "test": scores["score"],
            "interval": scores.get("interval"),
            "cost": {"seconds": card["seconds"], "test_answers": card.get("test_answers", 0)},
            "against": against,
            **self._less(evaluation, BASELINE),
        }

    def _less(self, ours: Evaluation | None, other: str) -> dict[str, Any]:
        theirs = self.evaluations.get(other)
        if ours is None or theirs is None:
            return {}
        return delta(ours, baseline=theirs, scorer=self._study.target.scorer, seed=self._study.seed)


class TaskMeanComparison:
    """Hold the same of listed models, which are compared by the mean of several tasks."""

    def __init__(self, study: Study) -> None:
        assert isinstance(study.objective, TaskMean)
        self._study, self._columns, self._store = study, tuple(study.objective.tasks), study.family.context.store
        self._complete = tuple(complete_models(study.trained, objective=study.objective))
        self.evaluations = {name: stage.evaluation(stage.result(self._store)) for name, stage in study.tested.items()}
        scorer = study.family.scorer(study.objective, split="test")
        assert isinstance(scorer, MeanScorer)
        self._paired = PairedComparison.of(self.evaluations, scorer=scorer, seed=study.seed)

    @cached_property
    def roles(self) -> Mapping[str, str]:
        """Models that the rows are compared with, by their role: the single-task models, and the best model by dev."""
        dev = {name: self._dev(self._study.trained[name])["score"] for name in self._complete}
        best = best_by_dev(dev, simplest_first=self._complete)
        return {BASELINE: SINGLE_TASK} | ({} if best is None else {BEST_EXPERT: best})

    @cached_property
    def single(self) -> dict[str, str]:
        """Single-task model of each task, of several the first of the best on dev."""
        best: dict[str, tuple[float, str]] = {}
        for name, stage in self._study.trained.items():
            columns = task_columns(self._study, stage)
            if len(columns) == 1 and columns[0] in self._columns and name in self.evaluations:
                score = self._dev(stage)["tasks"][columns[0]]
                scored = (-1.0 if score is None else score, name)
                best[columns[0]] = max(best.get(columns[0], scored), scored, key=lambda pair: pair[0])
        return {column: best[column][1] for column in self._columns if column in best}

    def scores(self, scores: Mapping[str, Any]) -> dict[str, Any]:
        """Return the mean, and the scores by task."""
        columns = scores_by_task(scores["metrics"])
        return {"score": mean_if_defined(list(columns.values())), "tasks": columns}

    def on_test(self, name: str) -> dict[str, Any]:
        """Return a row's scores on test with their intervals, and its differences to the single-task models.

        A single-task model is compared with nothing.
        """
        intervals = self._paired.intervals(name)
        test = self.scores(self.evaluations[name].scores) | {"intervals": intervals["tasks"]}
        if "mean" in intervals:
            test["interval"] = intervals["mean"]
        stage = self._study.models[name]
        is_single = isinstance(stage, TrainStage) and len(task_columns(self._study, stage)) == 1
        if is_single or not self.single:
            return {"test": test}
        difference = self._paired.difference(name, references=self.single)
        return {"test": test, "differences": difference["tasks"], **difference.get("mean", {})}

    def difference(self, name: str, other: str) -> dict[str, Any]:
        """Return the mean score less the other's; empty where one of them was not tested or is undefined."""
        if name not in self.evaluations or (other != SINGLE_TASK and other not in self.evaluations):
            return {}
        references = self.single if other == SINGLE_TASK else dict.fromkeys(self._columns, other)
        mean: dict[str, Any] = self._paired.difference(name, references=references).get("mean", {})
        return mean

    def answers(self) -> dict[str, dict[str, tuple[str, ...]]]:
        """Return each model's answers by column."""
        parts = self._paired.parts
        return {column: {name: of[column].predictions for name, of in parts.items()} for column in self._columns}

    def _dev(self, stage: TrainStage) -> dict[str, Any]:
        return self.scores(stage.dev(stage.result(self._store)).scores)


Comparison = TargetComparison | TaskMeanComparison


@dataclass(frozen=True)
class PairedComparison:
    """Every model's test scores in the same resamples of the test instances, by task.

    Each task's dialogues are resampled by themselves (a stratified bootstrap), so that a resample of the mean is the
    mean of the tasks' resamples. A task for which a model's score is undefined is left out of its `resampled`, and then
    it has no mean.
    """

    parts: Mapping[str, Mapping[str, Evaluation]]  # by model, then by task
    resampled: Mapping[str, Mapping[str, Resampled]]
    scorers: Mapping[str, Scorer]

    @classmethod
    def of(cls, evaluations: Mapping[str, Evaluation], *, scorer: MeanScorer, seed: int) -> PairedComparison:
        """Return the comparison of models' answers to all tasks' test instances."""
        parts = {
            name: {
                task: scorer.parts[task].evaluate(answers)
                for task, answers in scorer.split(evaluation.predictions).items()
            }
            for name, evaluation in evaluations.items()
        }
        scorers = dict(scorer.scorer.parts)
        resampled: dict[str, dict[str, Resampled]] = {name: {} for name in parts}
        for task in scorers:
            defined = {name: by_task[task] for name, by_task in parts.items() if not by_task[task].undefined}
            for name, evaluation in defined.items():
                resampled[name][task] = bootstrap(evaluation, scorer=scorers[task], seed=derive(seed, task))
        return cls(parts, resampled, scorers)

    def intervals(self, name: str) -> dict[str, Any]:
        """Return the 95 % intervals of a model's test scores: `tasks`, and `mean` where all of them have one.

        An undefined score has none, and neither has that of one dialogue.
        """
        resampled = {task: scores for task, scores in self.resampled[name].items() if self._num(name, task) > 1}
        intervals: dict[str, Any] = {"tasks": {task: list(interval(scores)) for task, scores in resampled.items()}}
        if len(resampled) == len(self.scorers):
            intervals["mean"] = list(interval(_mean(resampled)))
        return intervals

    def _num(self, name: str, task: str) -> int:
        return num_clusters(self.parts[name][task])

    def difference(self, name: str, *, references: Mapping[str, str]) -> dict[str, Any]:
        """Return a model's test scores minus other models', each on one task; what is undefined is left out.

        `tasks` and `mean` have what `delta` says of a difference; tasks have `p_holm`, too, Holm's correction over
        them. `mean` is there where every task is.
        """
        tasks = {task: self._difference(name, other, task=task) for task, other in references.items()}
        defined = {task: difference for task, difference in tasks.items() if difference}
        adjusted = holm({task: difference["p"] for task, difference in defined.items()})
        result: dict[str, Any] = {"tasks": {task: {**defined[task], "p_holm": adjusted[task]} for task in defined}}
        if len(defined) < len(self.scorers):
            return result
        theirs = {task: self.resampled[other][task] for task, other in references.items()}
        mean = sum(difference["delta"] for difference in defined.values()) / len(defined)
        nums = [self._num(name, task) for task in self.parts[name]]
        num = sum(nums) if min(nums) > 1 else 1  # of one dialogue no error is known, and so none of the mean
        resampled = _mean(self.resampled[name]) - _mean(theirs)
        return result | {"mean": summarize_difference(mean, resampled=resampled, num=num)}

    def _difference(self, name: str, other: str, *, task: str) -> dict[str, Any]:
        ours, theirs = self.parts[name][task], self.parts[other][task]
        if ours.undefined or theirs.undefined:
            return {}
        exact = exact_p(ours, theirs, scorer=self.scorers[task])
        resampled = self.resampled[name][task] - self.resampled[other][task]
        return summarize_difference(
            ours.score - theirs.score, resampled=resampled, exact=exact, num=self._num(name, task)
        )


def against(comparison: Comparison, name: str) -> list[dict[str, Any]]:
    """Return a model's test score less that of each other model with a role; undefined ones are left out."""
    return [
        {"role": role, "name": other, **difference}
        for role, other in comparison.roles.items()
        if other != name and (difference := comparison.difference(name, other))
    ]


def task_columns(study: Study, stage: TrainStage) -> list[str]:
    """Return the keys of the tasks that a model was trained on."""
    return [column for column, task in study.tasks.items() if task in stage.recipe.tasks]


def _mean(by_task: Mapping[str, Resampled]) -> Resampled:
    return np.asarray(np.mean(list(by_task.values()), axis=0))
