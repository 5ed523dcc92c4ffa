"""A finished study as one JSON document: what reports read, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from dfwe.records import Evaluation
from dfwe.stages.agreement import agreement_results
from dfwe.stages.choice.stage import choice_results
from dfwe.stages.controls.base import Subject
from dfwe.stages.costs import Costs
from dfwe.stages.delta import delta, optimism, with_interval
from dfwe.stages.design import UNIFORM
from dfwe.stages.examples import changed
from dfwe.stages.health import health_of
from dfwe.stages.merge import MergeStage
from dfwe.stages.plan import Study, Tested
from dfwe.stages.probes.base import probe_results
from dfwe.stages.train import TrainStage
from dfwe.store.card import library_versions

FORMAT = 2


def study_results(study: Study, *, seconds: Mapping[str, float]) -> dict[str, Any]:
    """The study's results; scores are fractions in [0, 1].

    `delta` is a model's test score minus the baseline's, with the paired bootstrap standard error over test instances;
    a merge has the same `against` the uniform mixture and the best expert by dev.
    """
    rows = _Rows(study)
    told = probe_results(study.probes, store=study.bench.store)
    models = [
        rows.row(name, stage) | (told.of_merge if name == study.asked else {}) for name, stage in _models(study).items()
    ]
    return {
        "format": FORMAT,
        "unit": "scores are fractions; tables show them times 100",
        "target": study.target.name,
        "sources": [task.name for task in study.sources],
        "choice": choice_results(study.choice),
        "seed": study.seed,
        "decode": study.bench.way(study.target),
        "precision": study.bench.precision,
        "n": rows.sizes(),
        "rare_classes": rows.rare_classes(),
        "models": models,
        "headline": _headline(models, asked=study.asked),
        "examples": rows.examples(study.asked),
        "agreement": agreement_results(study.agreement, tested=study.tested, seed=study.seed),
        **told.of_study,
        "data": _data(study),
        "model": study.bench.parent.title,
        "parent": study.bench.parent.digest,
        "seconds": dict(seconds),
        "versions": library_versions(),
    }


def summary(results: Mapping[str, Any]) -> dict[str, float]:
    """What a logger keeps of results: every score, and the headline."""
    models, head = results["models"], results["headline"]
    scores = {
        f"{split}/{row['name']}": row[split]["score"] for row in models for split in ("dev", "test") if split in row
    }
    return scores | {key: head[key] for key in ("delta", "test") if key in head}


def _data(study: Study) -> dict[str, Any]:
    """Where each task's instances come from, and which rows of its files were left out."""
    data, found = study.bench.data, {}
    for task in (study.target, *study.sources):
        corpus = data.corpus(task)
        found[task.short] = {
            "origin": corpus.origin,
            **data.digest(task),
            "rows_read": {file: rows.num_read for file, rows in corpus.rows.items()},
            "bad_rows": [str(bad) for rows in corpus.rows.values() for bad in rows.bad],
            "left_out_on_purpose": dict(corpus.left_out),
        }
    return {"root": None if data.root is None else str(data.root), "tasks": found}


class _Rows:
    """Rows of the table, one a model; each model's answers are judged once."""

    def __init__(self, study: Study) -> None:
        self._study, self._store = study, study.bench.store
        self._costs = Costs(self._store)
        self._evaluations = {name: _evaluation(stage) for name, stage in study.evaluations.items()}
        self._baseline = self._evaluations.get("baseline")

    def sizes(self) -> dict[str, int]:
        splits = ("train", "dev", "test") if self._study.evaluations else ("train", "dev")
        data, target = self._study.bench.data, self._study.target
        return {split: len(data.instances(target, split=split)) for split in splits}  # type: ignore[arg-type]

    def rare_classes(self) -> list[str]:
        """Of the test split, those that make intervals of a macro F1 too narrow."""
        evaluation = next(iter(self._evaluations.values()), None)
        return [] if evaluation is None else list(self._study.target.scorer.rare(evaluation.counts))

    def row(self, name: str, stage: Subject) -> dict[str, Any]:
        entry = stage.result(self._store)
        row: dict[str, Any] = {
            "name": name,
            "kind": "control" if name in self._study.controls else _kind(name, stage),
            "stage": f"{stage.kind}-{stage.digest}",
        }
        if not isinstance(stage, TrainStage):
            row |= dict(entry.card.result)
        else:
            row |= {"dev": stage.dev(entry).scores, "epochs": len(entry.card.result["epochs"])}
            row |= {
                "best_epoch": entry.card.result["best_epoch"],
                "criterion": entry.card.result["criterion"],
            }
        if name in self._evaluations:
            row |= self._test(name)
            if row["kind"] == "merge":
                row |= {"against": self._against(name)} | optimism(row["dev"]["score"], row["test"]["score"])
        if isinstance(stage, MergeStage):
            row["health"] = health_of(entry)
        return row | {"cost": self._costs.of(stage)}

    def examples(self, asked: str | None) -> dict[str, Any]:
        """Instances that the merge fixed or broke against the baseline; empty where one of them is not there."""
        merge = self._evaluations.get(asked or "")
        if merge is None or self._baseline is None:
            return {}
        instances = self._study.bench.data.instances(self._study.target, split="test")
        scorer, seed = self._study.target.scorer, self._study.seed
        found = changed(merge, baseline=self._baseline, instances=instances, scorer=scorer, seed=seed)
        return {"merge": asked, "against": "baseline", **found}

    def _against(self, name: str) -> dict[str, Any]:
        """A merge's test score minus that of the uniform mixture, and of the best expert by dev."""
        others = [other for other in (UNIFORM, self._best_expert) if other in self._evaluations and other != name]
        scorer, seed = self._study.target.scorer, self._study.seed
        return {
            "uniform" if other == UNIFORM else "best_expert": {
                "name": other,
                **delta(self._evaluations[name], baseline=self._evaluations[other], scorer=scorer, seed=seed),
            }
            for other in others
        }

    @cached_property
    def _best_expert(self) -> str:
        """The first of those with the best dev score."""
        experts = self._study.experts or self._study.trained
        return max(experts, key=lambda name: experts[name].dev(experts[name].result(self._store)).score)

    def _test(self, name: str) -> dict[str, Any]:
        evaluation, scorer, seed = self._evaluations[name], self._study.target.scorer, self._study.seed
        test: dict[str, Any] = {"test": with_interval(evaluation, scorer=scorer, seed=seed)}
        if self._baseline is not None and name != "baseline":
            test |= delta(evaluation, baseline=self._baseline, scorer=scorer, seed=seed)
        return test


def _evaluation(stage: Tested) -> Evaluation:
    return stage.evaluation(stage.result(stage.bench.store))


def _models(study: Study) -> dict[str, Subject]:
    baseline = {} if study.baseline is None else {"baseline": study.baseline}
    return {**baseline, **(study.experts or study.trained), **study.controls, **study.merges}


def _kind(name: str, stage: Subject) -> str:
    if isinstance(stage, MergeStage):
        return "merge"
    return "baseline" if name == "baseline" else "expert"


def _headline(models: list[dict[str, Any]], *, asked: str | None) -> dict[str, Any]:
    """The merge that was asked for against the baseline on test; empty where there is none."""
    best = next((row for row in models if row["name"] == asked and "delta" in row), None)
    if best is None:
        return {}
    keys = ("name", "delta", "delta_standard_error", "delta_interval", "p", "p_by", "coefficients", "evaluations")
    return {key: best[key] for key in keys} | {"test": best["test"]["score"]}
