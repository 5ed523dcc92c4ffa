"""Describe a finished study as one JSON document: what reports read, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dfwe.metrics.comparison import optimism, with_interval
from dfwe.results.artifacts import questions
from dfwe.results.costs import Costs
from dfwe.results.examples import changed
from dfwe.results.f1_by_label import class_results
from dfwe.results.learning_curves import curve_results
from dfwe.results.listed_rows import ListedRows
from dfwe.results.recommendation import Standing
from dfwe.results.search_diagnostics import search_diagnostics
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

FORMAT = 4  # of results.json; dfwe.report.study_results reads earlier ones


def study_results(study: Study, *, seconds: Mapping[str, float]) -> dict[str, Any]:
    """Return the study's results as JSON; scores are fractions in [0, 1], null where they are undefined.

    `models` are its rows: `dev` and `test` have a `score`, of several tasks the mean of `tasks`. `delta` is the test
    score minus the baseline's, with the paired bootstrap standard error over test instances; a merge has the same
    `against` the uniform merge, the best expert by dev and the equally trained baseline. Of several tasks
    `against_single` is the difference to the single-task models, each on its own task.

    `headline` is the merge that was asked for, `recommended` the single model to ship, the best of all by dev; both say
    what they are held `against` and what that allows to claim. `warnings` say what the numbers cannot carry.
    """
    rows = _DfweRows(study) if study.listing is None else ListedRows(study)
    store = study.family.context.store
    diagnostics = diagnostic_results(study.probes, store=store)
    diagnosed = {planned.merge.name for planned in study.probes}
    models = [row | (diagnostics.of_merge if row["name"] in diagnosed else {}) for row in rows.rows()]
    warnings = study_warnings(study, rows=models, evaluations=rows.evaluations)
    withheld = [warning.text for warning in warnings if warning.withholds]
    return {
        "format": FORMAT,
        "unit": "scores are fractions; tables show them times 100",
        **rows.facts(),
        "seed": study.seed,
        "precision": study.family.context.precision,
        "n": rows.sizes(),
        "classes": rows.classes(),
        "curves": curve_results(study.stages(), store=store),
        "models": models,
        **rows.conclusions(models, withheld=withheld),
        "warnings": [warning.as_dict() for warning in warnings],
        **diagnostics.of_study,
        "data": _data(study),
        "model": study.family.base_model.title,
        "auto_class": study.family.auto_class,
        "parent": study.family.base_model.digest,
        "seconds": dict(seconds),
        "versions": library_versions(),
    }


def summary(results: Mapping[str, Any]) -> dict[str, float]:
    """Return what a logger keeps of results: every score that is defined, and the headline."""
    scores = {
        f"{split}/{row['name']}": row[split]["score"]
        for row in results["models"]
        for split in ("dev", "test")
        if split in row and row[split]["score"] is not None
    }
    headline = results.get("headline") or {}
    return scores | {key: headline[key] for key in ("delta", "test") if headline.get(key) is not None}


def _data(study: Study) -> dict[str, Any]:
    """Return where each task's instances come from, and which rows of its files were left out."""
    data, tasks = study.family.context.data, {}
    for task in study.tasks.values():
        corpus = data.corpus(task)
        tasks[task.short] = {
            "origin": corpus.origin,
            **data.digest(task),
            "rows_read": {file: report.num_rows for file, report in corpus.row_reports.items()},
            "bad_rows": [str(issue) for report in corpus.row_reports.values() for issue in report.invalid],
            "odd_rows": [str(issue) for report in corpus.row_reports.values() for issue in report.suspicious],
            "left_out_on_purpose": dict(corpus.num_excluded),
        }
    return {"root": None if data.root is None else str(data.root), "tasks": tasks}


class _DfweRows:
    """Rows of a study of one target, one per model."""

    def __init__(self, study: Study) -> None:
        self._study, self._store = study, study.family.context.store
        self._costs = Costs(self._store)
        self._standing = Standing(study)
        self.evaluations = self._standing.evaluations

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows in the order of the table."""
        for name, model in self._study.models.items():
            yield self._row(name, model)

    def facts(self) -> dict[str, Any]:
        """Return what the study is about."""
        study = self._study
        return {
            "target": study.target.name,
            "sources": [task.name for task in study.sources],
            "choice": selection_results(study.choice),
            "decode": study.family.decoding(study.target),
            "rare_classes": self._rare_classes(),
            "questions": questions(study.target),
        }

    def conclusions(self, models: Sequence[dict[str, Any]], *, withheld: Sequence[str]) -> dict[str, Any]:
        """Return headline, recommendation and what they rest on."""
        study, standing = self._study, self._standing
        return {
            "roles": standing.roles,
            "headline": standing.headline(models, withheld=withheld),
            "recommended": standing.recommended(models, withheld=withheld),
            "examples": self._examples(study.asked),
            "agreement": decoding_results(study.agreement, evaluations=study.tested, seed=study.seed),
        }

    def sizes(self) -> dict[str, int]:
        """Return the number of the target's instances by split."""
        splits = ("train", "dev", "test") if self._study.evaluations else ("train", "dev")
        data, target = self._study.family.context.data, self._study.target
        return {split: len(data.instances(target, split=split)) for split in splits}  # type: ignore[arg-type]

    def _rare_classes(self) -> list[str]:
        """Return the classes of the test split that make intervals of a macro F1 too narrow."""
        evaluation = next(iter(self.evaluations.values()), None)
        return [] if evaluation is None else list(self._study.target.scorer.rare_classes(evaluation.counts))

    def classes(self) -> dict[str, Any]:
        """Return each label's F1 for each model by task, the target alone; empty without labels or tests."""
        target = self._study.target
        answers = {name: evaluation.predictions for name, evaluation in self.evaluations.items()}
        if not answers:
            return {}
        gold = [instance.references for instance in self._study.family.context.data.instances(target, split="test")]
        classes = class_results(target, answers=answers, references=gold)
        return {target.short: classes} if classes else {}

    def _row(self, name: str, stage: EvaluatedModel) -> dict[str, Any]:
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
        if name in self.evaluations:
            row |= self._test(name)
            if row["kind"] == "merge":
                row |= {"against": self._against(name)} | optimism(row["dev"]["score"], row["test"]["score"])
        if isinstance(stage, MergeStage):
            row |= {"search_diagnostics": search_diagnostics(entry), "budget": stage.config["search"].get("budget")}
            row |= {"is_expert": expert_of(entry), "mixture": self._standing.mixture(name, row=row)}
        return row | {"cost": self._costs.of(stage)}

    def _examples(self, headline: str | None) -> dict[str, Any]:
        """Return instances that the merge fixed or broke against the baseline; empty where one of them is missing."""
        merge, baseline = self.evaluations.get(headline or ""), self.evaluations.get(BASELINE)
        if merge is None or baseline is None:
            return {}
        instances = self._study.family.context.data.instances(self._study.target, split="test")
        scorer, seed = self._study.target.scorer, self._study.seed
        examples = changed(merge, baseline=baseline, instances=instances, scorer=scorer, seed=seed)
        return {"merge": headline, "against": "baseline", **examples}

    def _against(self, name: str) -> dict[str, Any]:
        """Return a merge's differences by role, the baseline's aside, which the row has itself."""
        return {
            difference["role"]: {key: value for key, value in difference.items() if key != "role"}
            for difference in self._standing.against(name)
            if difference["role"] != BASELINE
        }

    def _test(self, name: str) -> dict[str, Any]:
        scorer, seed = self._study.target.scorer, self._study.seed
        test = with_interval(self.evaluations[name], scorer=scorer, seed=seed)
        return {"test": test, **(self._standing.difference(name, BASELINE) if name != BASELINE else {})}


def _kind(name: str, stage: EvaluatedModel) -> str:
    if isinstance(stage, MergeStage):
        return "merge"
    return "baseline" if name == BASELINE else "expert"
