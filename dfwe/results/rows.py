"""A finished study as one JSON document: what reports read, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dfwe.metrics.comparison import optimism, with_interval
from dfwe.results.answers import questions
from dfwe.results.costs import Costs
from dfwe.results.examples import changed
from dfwe.results.f1_by_label import class_results
from dfwe.results.learning_curves import curve_results
from dfwe.results.recommendation import Standing
from dfwe.results.search_diagnostics import health_of
from dfwe.results.warnings import study_warnings
from dfwe.stages.diagnostics.base import diagnostic_results
from dfwe.stages.merge import MergeStage, expert_of
from dfwe.stages.train import TrainStage
from dfwe.store.card import library_versions
from dfwe.studies.baselines import EvaluatedModel
from dfwe.studies.decoding_comparison import decoding_results
from dfwe.studies.source_selection.stage import selection_results
from dfwe.studies.study import Study
from dfwe.values.names import BASELINE

FORMAT = 3


def study_results(study: Study, *, seconds: Mapping[str, float]) -> dict[str, Any]:
    """The study's results; scores are fractions in [0, 1].

    `delta` is a model's test score minus the baseline's, with the paired bootstrap standard error over test instances;
    a merge has the same `against` the uniform merge, the best expert by dev and the equally trained baseline.
    `headline` is the merge that was asked for, `recommended` the single model to ship, the best of all by dev; both say
    what they are held `against` and what that allows to claim. `warnings` say what the numbers cannot carry.
    """
    rows = _Rows(study)
    told = diagnostic_results(study.probes, store=study.family.context.store)
    models = [
        rows.row(name, stage) | (told.of_merge if name == study.asked else {}) for name, stage in study.models.items()
    ]
    standing, cautions = rows.standing, study_warnings(study, rows=models, evaluations=rows.standing.evaluations)
    withheld = [each.text for each in cautions if each.withholds]
    return {
        "format": FORMAT,
        "unit": "scores are fractions; tables show them times 100",
        "target": study.target.name,
        "sources": [task.name for task in study.sources],
        "choice": selection_results(study.choice),
        "seed": study.seed,
        "decode": study.family.decoding(study.target),
        "precision": study.family.context.precision,
        "n": rows.sizes(),
        "rare_classes": rows.rare_classes(),
        "questions": questions(study.target),
        "classes": rows.classes(),
        "curves": curve_results(study.stages(), store=study.family.context.store),
        "models": models,
        "roles": standing.roles,
        "headline": standing.headline(models, withheld=withheld),
        "recommended": standing.recommended(models, withheld=withheld),
        "warnings": [each.as_dict() for each in cautions],
        "examples": rows.examples(study.asked),
        "agreement": decoding_results(study.agreement, evaluations=study.tested, seed=study.seed),
        **told.of_study,
        "data": _data(study),
        "model": study.family.base_model.title,
        "parent": study.family.base_model.digest,
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
    data, found = study.family.context.data, {}
    for task in (study.target, *study.sources):
        corpus = data.corpus(task)
        found[task.short] = {
            "origin": corpus.origin,
            **data.digest(task),
            "rows_read": {file: report.num_rows for file, report in corpus.row_reports.items()},
            "bad_rows": [str(issue) for report in corpus.row_reports.values() for issue in report.invalid],
            "odd_rows": [str(issue) for report in corpus.row_reports.values() for issue in report.suspicious],
            "left_out_on_purpose": dict(corpus.num_excluded),
        }
    return {"root": None if data.root is None else str(data.root), "tasks": found}


class _Rows:
    """Rows of the table, one a model."""

    def __init__(self, study: Study) -> None:
        self._study, self._store = study, study.family.context.store
        self._costs = Costs(self._store)
        self.standing = Standing(study)
        self._evaluations = self.standing.evaluations

    def sizes(self) -> dict[str, int]:
        splits = ("train", "dev", "test") if self._study.evaluations else ("train", "dev")
        data, target = self._study.family.context.data, self._study.target
        return {split: len(data.instances(target, split=split)) for split in splits}  # type: ignore[arg-type]

    def rare_classes(self) -> list[str]:
        """Of the test split, those that make intervals of a macro F1 too narrow."""
        evaluation = next(iter(self._evaluations.values()), None)
        return [] if evaluation is None else list(self._study.target.scorer.rare_classes(evaluation.counts))

    def classes(self) -> dict[str, Any]:
        """By task, the target alone: each label's F1 for each model; empty without labels or tests."""
        target, answers = self._study.target, {name: each.predictions for name, each in self._evaluations.items()}
        if not answers:
            return {}
        gold = [instance.references for instance in self._study.family.context.data.instances(target, split="test")]
        found = class_results(target, answers=answers, references=gold)
        return {target.short: found} if found else {}

    def row(self, name: str, stage: EvaluatedModel) -> dict[str, Any]:
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
            row |= {key: entry.card.result[key] for key in ("best_epoch", "criterion")}
            row |= {"most_epochs": stage.recipe.fit["epochs"]}
        if name in self._evaluations:
            row |= self._test(name)
            if row["kind"] == "merge":
                row |= {"against": self._against(name)} | optimism(row["dev"]["score"], row["test"]["score"])
        if isinstance(stage, MergeStage):
            row |= {"health": health_of(entry), "budget": stage.config["search"].get("budget")}
            row |= {"is_expert": expert_of(entry), "mixture": self.standing.mixture(name, row=row)}
        return row | {"cost": self._costs.of(stage)}

    def examples(self, asked: str | None) -> dict[str, Any]:
        """Instances that the merge fixed or broke against the baseline; empty where one of them is not there."""
        merge, baseline = self._evaluations.get(asked or ""), self._evaluations.get(BASELINE)
        if merge is None or baseline is None:
            return {}
        instances = self._study.family.context.data.instances(self._study.target, split="test")
        scorer, seed = self._study.target.scorer, self._study.seed
        found = changed(merge, baseline=baseline, instances=instances, scorer=scorer, seed=seed)
        return {"merge": asked, "against": "baseline", **found}

    def _against(self, name: str) -> dict[str, Any]:
        """A merge's differences by part, the baseline's aside, which the row has itself."""
        others = self.standing.against(name)
        return {
            each["role"]: {key: value for key, value in each.items() if key != "role"}
            for each in others
            if each["role"] != BASELINE
        }

    def _test(self, name: str) -> dict[str, Any]:
        scorer, seed = self._study.target.scorer, self._study.seed
        test = with_interval(self._evaluations[name], scorer=scorer, seed=seed)
        return {"test": test, **(self.standing.difference(name, BASELINE) if name != BASELINE else {})}


def _kind(name: str, stage: EvaluatedModel) -> str:
    if isinstance(stage, MergeStage):
        return "merge"
    return "baseline" if name == BASELINE else "expert"
