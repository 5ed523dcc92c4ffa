"""Describe a finished study as one JSON document: what reports read, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from dfwe.report.run_folder import BEST
from dfwe.results.claims import conclusion
from dfwe.results.comparison import Comparison, TargetComparison, TaskMeanComparison
from dfwe.results.costs import Costs, add_times_baseline
from dfwe.results.details import changed_answers, class_results, curve_results
from dfwe.results.facts import data_facts, listed_facts, split_sizes, target_facts
from dfwe.results.recommendation import models_by_simplicity, recommend
from dfwe.results.rows import Row, row_of
from dfwe.results.warnings import study_warnings
from dfwe.stages.diagnostics.base import diagnostic_results
from dfwe.store.card import library_versions
from dfwe.studies.decoding_comparison import decoding_results
from dfwe.studies.study import Study
from dfwe.values.names import BASELINE

FORMAT = 4  # of results.json, that dfwe.report.study_results reads


def study_results(study: Study, *, seconds: Mapping[str, float], exported: bool = True) -> dict[str, Any]:
    """Return the study's results as JSON; scores are fractions in [0, 1], null where they are undefined.

    `models` are its rows: `dev` and `test` have a `score`, of several tasks the mean of `tasks`. `delta` is the test
    score minus that of the reference, with the paired bootstrap standard error over the test split: of the baseline, or
    of several tasks of the single-task models, each on its own task (by task in `differences`). A merge has the same
    `against` other models by their role.

    `headline` is the merge that was asked for, `recommended` the single model to ship, the best of all by dev; both
    have what they are compared with in `against`, all rows of equal or lower cost in `not_dearer`, and what that allows
    to claim. It names a `folder` if the models are `exported`. `warnings` say what the numbers cannot carry.
    """
    store = study.family.context.store
    comparison: Comparison = TargetComparison(study) if study.listing is None else TaskMeanComparison(study)
    names = [name for name in study.models if study.listing is None or name in comparison.evaluations]
    costs = Costs(store, study.source_selection)
    rows = [row_of(name, study=study, comparison=comparison, costs=costs) for name in names]
    add_times_baseline(rows)
    diagnostics = _diagnose(study, rows=rows)
    warnings = study_warnings(
        study, rows=rows, evaluations=comparison.evaluations, connectedness=diagnostics.get("connectedness")
    )
    withheld = [warning.text for warning in warnings if warning.withholds]
    conclude = partial(conclusion, rows=rows, comparison=comparison, withheld=withheld)
    return {
        "format": FORMAT,
        "unit": "scores are fractions; tables show them times 100",
        **(target_facts(study, comparison) if study.listing is None else listed_facts(study, comparison)),
        "seed": study.seed,
        "precision": study.family.context.precision,
        "n": split_sizes(study),
        "classes": dict(_classes(study, comparison)),
        "curves": curve_results(study.stages(), store=store),
        "models": rows,
        "roles": dict(comparison.roles),
        "headline": _headline(rows, study=study, conclude=conclude),
        "recommended": recommend(
            rows,
            simplest_first=list(models_by_simplicity(study, names=names)),
            conclude=conclude,
            folder=BEST if exported else None,
        ),
        "examples": _examples(study, comparison),
        "decoding_comparison": decoding_results(study.decoding_comparison, evaluations=study.tested, seed=study.seed),
        "warnings": [warning.as_dict() for warning in warnings],
        **diagnostics,
        "data": data_facts(study),
        "model": study.family.base_model.title,
        "auto_class": study.family.auto_class,
        "parent": study.family.base_model.digest,
        "seconds": dict(seconds),
        "versions": library_versions(),
    }


def _diagnose(study: Study, *, rows: Sequence[Row]) -> dict[str, Any]:
    """Return what diagnostics found of the study; what they found of a merge goes to its row."""
    dev = {row["name"]: row["dev"]["score"] for row in rows}
    diagnostics = diagnostic_results(study.diagnostics, store=study.family.context.store, dev=dev)
    names = {planned.merge.name for planned in study.diagnostics}
    for row in rows:
        row |= diagnostics.of_merge if row["name"] in names else {}
    return diagnostics.of_study


def summary(results: Mapping[str, Any]) -> dict[str, float]:
    """Return what a logger keeps of results: every score that is defined, the headline, how connected experts are."""
    scores = {
        f"{split}/{row['name']}": row[split]["score"]
        for row in results["models"]
        for split in ("dev", "test")
        if split in row and row[split]["score"] is not None
    }
    headline, connectedness = results.get("headline") or {}, results.get("connectedness") or {}
    numbers = {key: headline.get(key) for key in ("delta", "test")} | {
        key: connectedness.get(key) for key in ("median_barrier", "largest_barrier", "uniform_minus_baseline")
    }
    return scores | {key: value for key, value in numbers.items() if value is not None}


def _classes(study: Study, comparison: Comparison) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each task that counts and has labels with each label's F1 for each model."""
    for name, answers in comparison.answers().items() if comparison.evaluations else ():
        task = study.target if study.listing is None else study.tasks[name]
        gold = [instance.references for instance in study.family.context.data.instances(task, split="test")]
        if classes := class_results(task, answers=answers, references=gold):
            yield name, classes


def _headline(rows: list[Row], *, study: Study, conclude: Callable[[str], Mapping[str, Any]]) -> dict[str, Any]:
    """Return the headline's merge beside the baseline on test; empty where one of them was not tested."""
    row = next((row for row in rows if row["name"] == study.headline and "delta" in row), None)
    if row is None:
        return {}
    keys = ("name", "delta", "delta_standard_error", "delta_interval", "p", "p_by", "coefficients", "evaluations")
    return {key: row[key] for key in keys} | {"test": row["test"]["score"]} | dict(conclude(row["name"]))


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
    return {"merge": study.headline, "against": BASELINE, **changed} if changed else {}
