"""Describe a finished study as one JSON document: what reports read, and nothing else."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from dfwe.config.tasks import Task, TaskMean, tasks_of
from dfwe.metrics.correlation import binned_errors
from dfwe.metrics.statistics import optimism
from dfwe.results.artifacts import questions
from dfwe.results.comparison import (
    LONG_BASELINE,
    Comparison,
    TargetComparison,
    TaskMeanComparison,
    against,
    task_columns,
)
from dfwe.results.details import Costs, changed_answers, class_results, curve_results, search_diagnostics
from dfwe.results.recommendation import BEST, claimed, recommend
from dfwe.results.warnings import study_warnings
from dfwe.stages.diagnostics.base import diagnostic_results
from dfwe.stages.ensemble import EnsembleStage
from dfwe.stages.merge import MergeStage, expert_of
from dfwe.stages.train import TrainStage
from dfwe.store.card import library_versions
from dfwe.studies.baselines import EvaluatedModel
from dfwe.studies.decoding_comparison import decoding_results
from dfwe.studies.listed_merges import complete_models
from dfwe.studies.source_selection.stage import selection_results
from dfwe.studies.study import Study
from dfwe.values.names import BASELINE

FORMAT = 4  # of results.json; dfwe.report.study_results reads earlier ones
log = logging.getLogger(__name__)
Row = dict[str, Any]


def study_results(study: Study, *, seconds: Mapping[str, float], exported: bool = True) -> dict[str, Any]:
    """Return the study's results as JSON; scores are fractions in [0, 1], null where they are undefined.

    `models` are its rows: `dev` and `test` have a `score`, of several tasks the mean of `tasks`. `delta` is the test
    score minus that of the reference, with the paired bootstrap standard error over test instances: of the baseline, or
    of several tasks of the single-task models, each on its own task (by task in `differences`). A merge has the same
    `against` other models by their role.

    `headline` is the merge that was asked for, `recommended` the single model to ship, the best of all by dev; both
    have what they are compared with in `against`, and what that allows to claim. It names a `folder` if the models are
    `exported`. `warnings` say what the numbers
    cannot carry.
    """
    store = study.family.context.store
    comparison: Comparison = TargetComparison(study) if study.listing is None else TaskMeanComparison(study)
    diagnostics = diagnostic_results(study.diagnostics, store=store)
    diagnosed = {planned.merge.name for planned in study.diagnostics}
    names = [name for name in study.models if study.listing is None or name in comparison.evaluations]
    costs = Costs(store)
    rows = [
        _row(name, study=study, comparison=comparison, costs=costs)
        | (diagnostics.of_merge if name in diagnosed else {})
        for name in names
    ]
    warnings = study_warnings(study, rows=rows, evaluations=comparison.evaluations)
    withheld = [warning.text for warning in warnings if warning.withholds]
    return {
        "format": FORMAT,
        "unit": "scores are fractions; tables show them times 100",
        **(_target_facts(study, comparison) if study.listing is None else _listed_facts(study, comparison)),
        "seed": study.seed,
        "precision": study.family.context.precision,
        "n": _sizes(study),
        "classes": dict(_classes(study, comparison)),
        "curves": curve_results(study.stages(), store=store),
        "models": rows,
        "roles": dict(comparison.roles),
        "headline": _headline(rows, study=study, comparison=comparison, withheld=withheld),
        "recommended": recommend(
            rows,
            simplest_first=list(_simplest_first(study, names=names)),
            against=partial(against, comparison),
            withheld=withheld,
            folder=BEST if exported and study.listing is None else None,
        ),
        "examples": _examples(study, comparison),
        "decoding_comparison": decoding_results(study.decoding_comparison, evaluations=study.tested, seed=study.seed),
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


def _row(name: str, *, study: Study, comparison: Comparison, costs: Costs) -> Row:
    """Return the row of a model: what it is, its scores and differences, how it was made, what it cost."""
    stage = study.models[name]
    entry = stage.result(study.family.context.store)
    card = dict(entry.card.result)
    row: Row = {"name": name, "kind": _kind(name, stage, study=study), "stage": f"{stage.kind}-{stage.digest}"}
    if study.listing is not None:
        listed = study.listing.config["models"].get(name, {})
        row["title"] = listed.get("title") or study.listing.titles.get(name) or name
    if isinstance(stage, TrainStage):
        row |= {"tasks": task_columns(study, stage), "epochs": len(card["epochs"])}
        row |= {key: card[key] for key in ("best_epoch", "criterion")} | {"most_epochs": stage.recipe.fit["epochs"]}
        row["dev"] = comparison.scores(stage.dev(entry).scores)
    else:
        row |= {**card, "dev": comparison.scores(card["dev"])}
    if name in comparison.evaluations:
        row |= comparison.on_test(name)
    if isinstance(stage, MergeStage):
        row["selection"] = row.pop("picked")
        row |= optimism(row["dev"]["score"], row.get("test", {}).get("score"))
        row |= {"is_expert": expert_of(entry), "budget": stage.config["search"].get("budget")}
        row |= {"search_diagnostics": search_diagnostics(entry)}
        row["mixture"] = comparison.mixture(name, row=row) if isinstance(comparison, TargetComparison) else {}
        row["against"] = {
            difference["role"]: {key: value for key, value in difference.items() if key != "role"}
            for difference in against(comparison, name)
            if difference["role"] != BASELINE  # which the row has itself
        }
        if study.listing is not None:
            row["of"] = list(study.listing.members.get(name, stage.experts))
    elif study.listing is not None and study.listing.config["bins"] is not None:
        column = study.listing.config["bins"]["column"]
        row["errors_by_gold"] = _bins(study, comparison.answers()[column][name])
    return row | {"cost": costs.of(stage)}


def _kind(name: str, stage: EvaluatedModel, *, study: Study) -> str:
    if name == BASELINE or name in study.baselines:
        return "baseline"
    if isinstance(stage, MergeStage):
        return "merge"
    if study.listing is None or not isinstance(stage, TrainStage):
        return "expert"
    return "single" if len(task_columns(study, stage)) == 1 else "model"


def _target_facts(study: Study, comparison: Comparison) -> dict[str, Any]:
    """Return what a study of one target is about."""
    evaluation = next(iter(comparison.evaluations.values()), None)
    rare = () if evaluation is None else study.target.scorer.rare_classes(evaluation.counts)
    return {
        "target": study.target.name,
        "sources": [task.name for task in study.sources],
        "source_selection": selection_results(study.source_selection),
        "decode": study.family.decoding(study.target),
        "rare_classes": list(rare),  # they make intervals of a macro F1 too narrow
        "questions": questions(study.target),
    }


def _listed_facts(study: Study, comparison: Comparison) -> dict[str, Any]:
    """Return what a study of listed models is about; `single` are the models that each task is compared with."""
    assert study.listing is not None
    assert isinstance(study.objective, TaskMean)
    assert isinstance(comparison, TaskMeanComparison)
    listing = study.listing
    if len(listing.candidates) == 1:
        log.warning("%s alone is Pareto-optimal: there is nothing to merge", listing.candidates[0])
    return {
        "kind": "multitask",
        "target": ", ".join(study.objective.tasks),
        "sources": [task.name for task in study.tasks.values() if task not in tasks_of(study.objective)],
        "columns": {column: study.tasks[column].short for column in study.objective.tasks},
        "candidates": list(listing.candidates),
        "single": comparison.single,
        "ablation": {name: listing.titles[name] for name in listing.ablation},
        "published": listing.config["published"],
    }


def _sizes(study: Study) -> dict[str, Any]:
    """Return the numbers of instances by split: of the target, or of several tasks of each."""
    data = study.family.context.data

    def of_task(task: Task, *, is_tested: bool = True) -> dict[str, int]:
        splits = ("train", "dev", "test") if is_tested else ("train", "dev")
        return {split: len(data.instances(task, split=split)) for split in splits}  # type: ignore[arg-type]

    if study.listing is None:
        return of_task(study.target, is_tested=bool(study.evaluations))
    return {column: of_task(task) for column, task in study.tasks.items()}


def _classes(study: Study, comparison: Comparison) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each task that counts and has labels with each label's F1 for each model."""
    for name, answers in comparison.answers().items() if comparison.evaluations else ():
        task = study.target if study.listing is None else study.tasks[name]
        gold = [instance.references for instance in study.family.context.data.instances(task, split="test")]
        if classes := class_results(task, answers=answers, references=gold):
            yield name, classes


def _headline(rows: list[Row], *, study: Study, comparison: Comparison, withheld: list[str]) -> dict[str, Any]:
    """Return the headline's merge beside the baseline on test; empty where one of them was not tested."""
    row = next((row for row in rows if row["name"] == study.headline and "delta" in row), None)
    if row is None:
        return {}
    keys = ("name", "delta", "delta_standard_error", "delta_interval", "p", "p_by", "coefficients", "evaluations")
    differences = against(comparison, row["name"])
    conclusion = {"against": differences, **claimed(differences, withheld=withheld)}
    return {key: row[key] for key in keys} | {"test": row["test"]["score"]} | conclusion


def _simplest_first(study: Study, *, names: list[str]) -> Iterator[str]:
    """Yield the models that may be recommended: the baseline, one trained longer, experts, merges.

    An ensemble is not a single model; of several tasks a model must be trained on every one.
    """

    def complexity(name: str) -> int:
        if isinstance(study.models[name], TrainStage):
            return {BASELINE: 0, LONG_BASELINE: 1}.get(name, 2)
        return 3

    if study.listing is None:
        possible = [name for name in names if not isinstance(study.models[name], EnsembleStage)]
    else:
        assert isinstance(study.objective, TaskMean)
        complete = complete_models(study.trained, objective=study.objective)
        possible = [name for name in names if name in study.merges or name in complete]
    yield from sorted(possible, key=complexity)


def _examples(study: Study, comparison: Comparison) -> dict[str, Any]:
    """Return instances that the merge fixed or broke against the baseline; empty where one of them is missing."""
    evaluations = comparison.evaluations
    merge, baseline = evaluations.get(study.headline or ""), evaluations.get(BASELINE)
    if merge is None or baseline is None:
        return {}
    instances = study.family.context.data.instances(study.target, split="test")
    changed = changed_answers(
        merge, baseline=baseline, instances=instances, scorer=study.target.scorer, seed=study.seed
    )
    return {"merge": study.headline, "against": BASELINE, **changed}


def _bins(study: Study, answers: tuple[str, ...]) -> list[dict[str, float | int | None]]:
    """Return squared errors on test by the gold number, of the task that `multitask.bins` names."""
    assert study.listing is not None
    bins = study.listing.config["bins"]
    instances = study.family.context.data.instances(study.tasks[bins["column"]], split="test")
    gold = [float(instance.references[0]) for instance in instances]
    return binned_errors([float(text) for text in answers], gold=gold, edges=[float(edge) for edge in bins["edges"]])


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
