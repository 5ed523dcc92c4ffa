"""A finished multitask study as one JSON document: what its tables are drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dfwe.evaluation.head_score import MeanScorer
from dfwe.stages.evaluate import EvaluateStage
from dfwe.stages.multitask.merges import Merged
from dfwe.stages.multitask.plan import MultitaskStudy
from dfwe.stages.multitask.scores import binned_errors, by_column, mean_of
from dfwe.store.card import library_versions

FORMAT = 1


def multitask_results(
    study: MultitaskStudy,
    *,
    candidates: Sequence[str],
    merges: Mapping[str, Merged],
    ablation: Mapping[str, Merged],
    evaluations: Mapping[str, EvaluateStage],
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    """Every model's and merge's scores on dev and test by task, and their mean; fractions in [0, 1].

    A score that is undefined (Pearson's correlation of constant predictions) is null, and so is its mean.
    """
    store = study.bench.store
    rows = [_trained_row(study, name, evaluations=evaluations) for name in evaluations if name in study.models]
    for name, merged in {**merges, **{name: each for name, each in ablation.items() if name not in merges}}.items():
        card = merged.stage.result(store).card.result
        rows.append(
            {
                "name": name,
                "title": merged.title,
                "kind": "merge",
                "of": list(merged.members),
                "coefficients": card["coefficients"],
                "picked": card["picked"],
                "evaluations": card["evaluations"],
                "seconds": card["seconds"],
                "notes": card["notes"],
                "dev": _scores(card["dev"]),
                **_test(study, evaluations.get(name)),
            }
        )
    return {
        "format": FORMAT,
        "kind": "multitask",
        "unit": "scores are fractions; tables show them as the paper does",
        "columns": {column: study.columns[column].short for column in study.target.tasks},
        "seed": study.seed,
        "precision": study.bench.precision,
        "n": _sizes(study),
        "candidates": list(candidates),
        "ablation": {name: merged.title for name, merged in ablation.items()},
        "rows": rows,
        "published": study.config["published"],
        "data": {task.short: study.bench.data.digest(task) for task in study.columns.values()},
        "parent": study.bench.parent.digest,
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


def _trained_row(study: MultitaskStudy, name: str, *, evaluations: Mapping[str, EvaluateStage]) -> dict[str, Any]:
    stage = study.models[name]
    card = stage.result(study.bench.store).card.result
    columns = [column for column, task in study.columns.items() if task in stage.tasks]
    dev = stage.dev(stage.result(study.bench.store))
    row: dict[str, Any] = {
        "name": name,
        "title": study.config["models"][name].get("title") or name,
        "kind": "single" if len(columns) == 1 else "model",
        "tasks": columns,
        "epochs": len(card["epochs"]),
        "best_epoch": card["best_epoch"],
        "dev": _scores(dev.scores),
        **_test(study, evaluations.get(name)),
    }
    if study.config["bins"] is not None:
        row["errors_by_gold"] = _bins(study, evaluations[name])
    return row


def _test(study: MultitaskStudy, stage: EvaluateStage | None) -> dict[str, Any]:
    if stage is None:
        return {}
    found = stage.evaluation(stage.result(study.bench.store))
    return {"test": _scores(found.scores)}


def _scores(scores: Mapping[str, Any]) -> dict[str, Any]:
    columns = by_column(scores["metrics"])
    return {"tasks": columns, "mean": mean_of(columns)}


def _bins(study: MultitaskStudy, stage: EvaluateStage) -> list[dict[str, float | int | None]]:
    """Squared error on test by the gold number, of the task that `multitask.bins` names."""
    asked = study.config["bins"]
    evaluation = stage.evaluation(stage.result(study.bench.store))
    scorer = study.bench.scorer(study.target, split="test")
    assert isinstance(scorer, MeanScorer)
    answers = scorer.split(evaluation.predictions)[asked["column"]]
    instances = study.bench.data.instances(study.columns[asked["column"]], split="test")
    gold = [float(instance.references[0]) for instance in instances]
    return binned_errors([float(text) for text in answers], gold=gold, edges=[float(edge) for edge in asked["edges"]])


def _sizes(study: MultitaskStudy) -> dict[str, dict[str, int]]:
    data = study.bench.data
    return {
        column: {split: len(data.instances(task, split=split)) for split in ("train", "dev", "test")}
        for column, task in study.columns.items()
    }
