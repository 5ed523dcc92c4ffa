"""Rows of studies of listed models, judged by the mean of several tasks."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from dfwe.config.tasks import TaskMean, tasks_of
from dfwe.families.scorer import MeanScorer
from dfwe.metrics.by_task import binned_errors, mean_if_defined, scores_by_task
from dfwe.metrics.comparison import optimism
from dfwe.results.comparison import PairedComparison
from dfwe.results.costs import Costs
from dfwe.results.f1_by_label import class_results
from dfwe.results.recommendation import recommended_of_several
from dfwe.results.search_diagnostics import search_diagnostics
from dfwe.stages.merge import MergeStage, expert_of
from dfwe.studies.listed_merges import complete_models
from dfwe.studies.study import Study

log = logging.getLogger(__name__)


class ListedRows:
    """Rows of a study of listed models, one per model that was evaluated; each model's answers are judged once."""

    def __init__(self, study: Study) -> None:
        assert study.listing is not None
        assert isinstance(study.objective, TaskMean)
        self._study, self._listing, self._objective = study, study.listing, study.objective
        self._store = study.family.context.store
        self._costs = Costs(self._store)
        self.evaluations = {name: stage.evaluation(stage.result(self._store)) for name, stage in study.tested.items()}
        scorer = study.family.scorer(study.objective, split="test")
        assert isinstance(scorer, MeanScorer)
        self._comparison = PairedComparison.of(self.evaluations, scorer=scorer, seed=study.seed)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows in the order of the table."""
        for name in self.evaluations:
            model = self._study.models[name]
            yield self._merged(name, model) if isinstance(model, MergeStage) else self._trained(name)

    def facts(self) -> dict[str, Any]:
        """Return what the study is about; `single` are the models that each task is compared with."""
        study, listing = self._study, self._listing
        return {
            "kind": "multitask",
            "target": ", ".join(self._objective.tasks),
            "sources": [task.name for task in study.tasks.values() if task not in tasks_of(self._objective)],
            "columns": {column: study.tasks[column].short for column in self._objective.tasks},
            "candidates": list(listing.candidates),
            "single": self._single,
            "ablation": {name: listing.titles[name] for name in listing.ablation},
            "published": listing.config["published"],
        }

    def conclusions(self, models: Sequence[dict[str, Any]], *, withheld: Sequence[str]) -> dict[str, Any]:
        """Return the recommendation; a study without anything to merge is logged."""
        if len(self._listing.candidates) == 1:
            log.warning("%s alone is Pareto-optimal: there is nothing to merge", self._listing.candidates[0])
        complete = tuple(complete_models(self._study.trained, objective=self._objective))
        recommended = recommended_of_several(models, comparison=self._comparison, models=complete, withheld=withheld)
        return {"recommended": recommended}

    def sizes(self) -> dict[str, dict[str, int]]:
        """Return the number of each task's instances by split."""
        data = self._study.family.context.data
        return {
            column: {split: len(data.instances(task, split=split)) for split in ("train", "dev", "test")}
            for column, task in self._study.tasks.items()
        }

    @cached_property
    def _single(self) -> dict[str, str]:
        """Single-task model of each task, of several the first of the best on dev."""
        best: dict[str, tuple[float, str]] = {}
        for name, stage in self._study.trained.items():
            columns = self._columns(name)
            if len(columns) == 1 and columns[0] in self._objective.tasks and name in self.evaluations:
                dev = stage.dev(stage.result(self._store)).scores
                score = scores_by_task(dev["metrics"])[columns[0]]
                scored = (-1.0 if score is None else score, name)
                best[columns[0]] = max(best.get(columns[0], scored), scored, key=lambda pair: pair[0])
        return {column: best[column][1] for column in self._objective.tasks if column in best}

    def classes(self) -> dict[str, Any]:
        """Return each label's F1 for each model by column; tasks without labels are left out."""
        parts, data = self._comparison.parts, self._study.family.context.data
        classes = {}
        for column in self._objective.tasks:
            task = self._study.tasks[column]
            gold = [instance.references for instance in data.instances(task, split="test")]
            answers = {name: by_task[column].predictions for name, by_task in parts.items()}
            classes[column] = class_results(task, answers=answers, references=gold)
        return {column: scores for column, scores in classes.items() if scores}

    def _trained(self, name: str) -> dict[str, Any]:
        """Return the row of a trained model."""
        stage, columns = self._study.trained[name], self._columns(name)
        entry = stage.result(self._store)
        kind = "single" if len(columns) == 1 else "model"
        row: dict[str, Any] = {
            "name": name,
            "title": self._listing.config["models"][name].get("title") or name,
            "kind": kind,
            "stage": f"{stage.kind}-{stage.digest}",
            "tasks": columns,
            "epochs": len(entry.card.result["epochs"]),
            "best_epoch": entry.card.result["best_epoch"],
            "most_epochs": stage.recipe.fit["epochs"],
            "dev": _scores(stage.dev(entry).scores),
            **self._test(name, kind=kind),
            "cost": self._costs.of(stage),
        }
        if self._listing.config["bins"] is not None:
            row["errors_by_gold"] = _bins(self._study, self.evaluations[name].predictions)
        return row

    def _merged(self, name: str, stage: MergeStage) -> dict[str, Any]:
        """Return the row of a merge."""
        entry = stage.result(self._store)
        card = entry.card.result
        row = {
            "name": name,
            "title": self._listing.titles.get(name) or name,
            "kind": "control" if name in self._study.controls else "merge",
            "stage": f"{stage.kind}-{stage.digest}",
            "of": list(self._listing.members.get(name, stage.experts)),
            "is_expert": expert_of(entry),
            **{key: card[key] for key in ("coefficients", "picked", "evaluations", "seconds", "notes")},
            **({"holdout": card["holdout"]} if "holdout" in card else {}),
            "dev": _scores(card["dev"]),
            **self._test(name, kind="merge"),
        }
        gap = optimism(row["dev"]["score"], row.get("test", {}).get("score"))  # both are means of the tasks
        return row | gap | {"search_diagnostics": search_diagnostics(entry), "cost": self._costs.of(stage)}

    def _columns(self, name: str) -> list[str]:
        return [column for column, task in self._study.tasks.items() if task in self._study.trained[name].recipe.tasks]

    def _test(self, name: str, *, kind: str) -> dict[str, Any]:
        """Return scores on test with their intervals, and the difference to the single-task models of any other."""
        if name not in self.evaluations:
            return {}
        scores, intervals = _scores(self.evaluations[name].scores), self._comparison.intervals(name)
        test: dict[str, Any] = {"test": scores | {"intervals": intervals["tasks"]}}
        if "mean" in intervals:
            test["test"]["interval"] = intervals["mean"]
        if kind != "single" and self._single:
            test["against_single"] = self._comparison.difference(name, others=self._single)
        return test


def _scores(scores: Mapping[str, Any]) -> dict[str, Any]:
    columns = scores_by_task(scores["metrics"])
    return {"score": mean_if_defined(list(columns.values())), "tasks": columns}


def _bins(study: Study, predictions: tuple[str, ...]) -> list[dict[str, float | int | None]]:
    """Return squared errors on test by the gold number, of the task that `multitask.bins` names."""
    assert study.listing is not None
    bins = study.listing.config["bins"]
    scorer = study.family.scorer(study.objective, split="test")
    assert isinstance(scorer, MeanScorer)
    answers = scorer.split(predictions)[bins["column"]]
    instances = study.family.context.data.instances(study.tasks[bins["column"]], split="test")
    gold = [float(instance.references[0]) for instance in instances]
    return binned_errors([float(text) for text in answers], gold=gold, edges=[float(edge) for edge in bins["edges"]])
