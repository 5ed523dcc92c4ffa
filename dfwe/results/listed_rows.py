"""A finished multitask study as one JSON document: what its tables are drawn from."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from dfwe.config.tasks import TaskMean
from dfwe.families.scorer import MeanScorer
from dfwe.metrics.by_task import binned_errors, mean_if_defined, scores_by_task
from dfwe.metrics.comparison import optimism
from dfwe.results.comparison import PairedComparison
from dfwe.results.costs import Costs
from dfwe.results.f1_by_label import class_results
from dfwe.results.learning_curves import curve_results
from dfwe.results.recommendation import recommended_of_several
from dfwe.results.search_diagnostics import health_of
from dfwe.results.warnings import study_warnings
from dfwe.stages.diagnostics.base import diagnostic_results
from dfwe.stages.merge import MergeStage, expert_of
from dfwe.store.card import library_versions
from dfwe.studies.listed_merges import complete_models
from dfwe.studies.study import Listing, Study

log = logging.getLogger(__name__)

FORMAT = 3


def listed_results(study: Study, *, seconds: Mapping[str, float]) -> dict[str, Any]:
    """Every model's and merge's scores on dev and test by task, and their mean; fractions in [0, 1].

    A score that is undefined (Pearson's correlation of constant predictions) is null, and so is its mean. Test scores
    have `intervals`, and `against_single` is their difference to the single-task models, each on its own task.
    `recommended` is the model to ship, the best by dev; `warnings` say what the numbers cannot carry.
    """
    listing, objective = study.listing, study.objective
    assert listing is not None
    assert isinstance(objective, TaskMean)
    if len(listing.candidates) == 1:
        log.warning("%s alone is Pareto-optimal: there is nothing to merge", listing.candidates[0])
    rows = _Rows(study, listing, objective)
    diagnostics = diagnostic_results(study.probes, store=study.family.context.store)
    table = [rows.row(name) for name in study.evaluations]
    probed_merges = {each.merge.name for each in study.probes}
    table = [row | (diagnostics.of_merge if row["name"] in probed_merges else {}) for row in table]
    warnings = study_warnings(study, rows=table, evaluations=rows.evaluations)
    withheld = [each.text for each in warnings if each.withholds]
    complete = tuple(complete_models(study.trained, objective=objective))
    return {
        "format": FORMAT,
        "kind": "multitask",
        "unit": "scores are fractions; tables show them as the paper does",
        "columns": {column: study.tasks[column].short for column in objective.tasks},
        "seed": study.seed,
        "precision": study.family.context.precision,
        "n": _sizes(study),
        "candidates": list(listing.candidates),
        "single": rows.single,
        "ablation": {name: listing.titles[name] for name in listing.ablation},
        "rows": table,
        "recommended": recommended_of_several(table, comparison=rows.comparison, models=complete, withheld=withheld),
        "warnings": [each.as_dict() for each in warnings],
        "classes": rows.classes(),
        "curves": curve_results(study.stages(), store=study.family.context.store),
        "published": listing.config["published"],
        **diagnostics.of_study,
        "data": {task.short: study.family.context.data.digest(task) for task in study.tasks.values()},
        "model": study.family.base_model.title,
        "parent": study.family.base_model.digest,
        "seconds": dict(seconds),
        "versions": library_versions(),
    }


def summary(results: Mapping[str, Any]) -> dict[str, float]:
    """What a logger keeps of results: the means that are defined."""
    means = {
        f"{split}/{row['name']}": row[split]["mean"]
        for row in results["rows"]
        for split in ("dev", "test")
        if split in row
    }
    return {name: value for name, value in means.items() if value is not None}


class _Rows:
    """Rows of the tables, one a model; each model's answers are judged once."""

    def __init__(self, study: Study, listing: Listing, objective: TaskMean) -> None:
        self._study, self._listing, self._objective = study, listing, objective
        self._store = study.family.context.store
        self._costs = Costs(self._store)
        self.evaluations = {name: stage.evaluation(stage.result(self._store)) for name, stage in study.tested.items()}
        scorer = study.family.scorer(objective, split="test")
        assert isinstance(scorer, MeanScorer)
        self.comparison = PairedComparison.of(self.evaluations, scorer=scorer, seed=study.seed)

    @cached_property
    def single(self) -> dict[str, str]:
        """What each task is compared with: its single-task model, of several the first of the best on dev."""
        best: dict[str, tuple[float, str]] = {}
        for name, stage in self._study.trained.items():
            columns = self._columns(name)
            if len(columns) == 1 and columns[0] in self._objective.tasks and name in self.evaluations:
                dev = stage.dev(stage.result(self._store)).scores
                score = scores_by_task(dev["metrics"])[columns[0]]
                found = (-1.0 if score is None else score, name)
                best[columns[0]] = max(best.get(columns[0], found), found, key=lambda each: each[0])
        return {column: best[column][1] for column in self._objective.tasks if column in best}

    def classes(self) -> dict[str, Any]:
        """By column: each label's F1 for each model; tasks without labels are left out."""
        parts, data = self.comparison.parts, self._study.family.context.data
        found = {}
        for column in self._objective.tasks:
            task = self._study.tasks[column]
            gold = [instance.references for instance in data.instances(task, split="test")]
            answers = {name: each[column].predictions for name, each in parts.items()}
            found[column] = class_results(task, answers=answers, references=gold)
        return {column: each for column, each in found.items() if each}

    def row(self, name: str) -> dict[str, Any]:
        """Return the row of a model."""
        model = self._study.models[name]
        return self._merged(name, model) if isinstance(model, MergeStage) else self._trained(name)

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
            **({"confirm": card["confirm"]} if "confirm" in card else {}),
            "dev": _scores(card["dev"]),
            **self._test(name, kind="merge"),
        }
        known = optimism(row["dev"]["mean"], row.get("test", {}).get("mean"))  # both are means of the tasks
        return row | known | {"health": health_of(entry), "cost": self._costs.of(stage)}

    def _columns(self, name: str) -> list[str]:
        return [column for column, task in self._study.tasks.items() if task in self._study.trained[name].recipe.tasks]

    def _test(self, name: str, *, kind: str) -> dict[str, Any]:
        """Scores on test with their intervals; of what is no single-task model itself the difference to these."""
        if name not in self.evaluations:
            return {}
        scores = _scores(self.evaluations[name].scores)
        test: dict[str, Any] = {"test": {**scores, "intervals": self.comparison.intervals(name)}}
        if kind != "single" and self.single:
            test["against_single"] = self.comparison.difference(name, others=self.single)
        return test


def _scores(scores: Mapping[str, Any]) -> dict[str, Any]:
    columns = scores_by_task(scores["metrics"])
    return {"tasks": columns, "mean": mean_if_defined(list(columns.values()))}


def _bins(study: Study, predictions: tuple[str, ...]) -> list[dict[str, float | int | None]]:
    """Squared error on test by the gold number, of the task that `multitask.bins` names."""
    assert study.listing is not None
    asked = study.listing.config["bins"]
    scorer = study.family.scorer(study.objective, split="test")
    assert isinstance(scorer, MeanScorer)
    answers = scorer.split(predictions)[asked["column"]]
    instances = study.family.context.data.instances(study.tasks[asked["column"]], split="test")
    gold = [float(instance.references[0]) for instance in instances]
    return binned_errors([float(text) for text in answers], gold=gold, edges=[float(edge) for edge in asked["edges"]])


def _sizes(study: Study) -> dict[str, dict[str, int]]:
    data = study.family.context.data
    return {
        column: {split: len(data.instances(task, split=split)) for split in ("train", "dev", "test")}
        for column, task in study.tasks.items()
    }
