"""Build the row of one model of a study: what it is, its scores and differences, how it was made, what it cost."""

from __future__ import annotations

from typing import Any

from dfwe.metrics.correlation import binned_errors
from dfwe.metrics.statistics import optimism
from dfwe.results.comparison import Comparison, TargetComparison, against, task_columns
from dfwe.results.costs import Costs
from dfwe.results.details import search_diagnostics
from dfwe.stages.external_expert import ExternalExpert
from dfwe.stages.merge import MergeStage, expert_of
from dfwe.stages.train import TrainStage
from dfwe.studies.baselines.base import EvaluatedModel
from dfwe.studies.study import Study
from dfwe.values.names import BASELINE

Row = dict[str, Any]


def row_of(name: str, *, study: Study, comparison: Comparison, costs: Costs) -> Row:
    """Return the row of a model: what it is, its scores and differences, how it was made, what it cost."""
    stage = study.models[name]
    entry = stage.result(study.family.context.store)
    card = dict(entry.card.result)
    row: Row = {"name": name, "kind": _kind(name, stage, study=study), "stage": f"{stage.kind}-{stage.digest}"}
    if study.listing is not None:
        listed = study.listing.config["models"].get(name, {})
        row["title"] = listed.get("title") or study.listing.titles.get(name) or name
    if isinstance(stage, ExternalExpert):
        row |= {"external": stage.external.name} | ({"title": "base model"} if name == BASELINE else {})
    if isinstance(stage, TrainStage):
        row |= {"tasks": task_columns(study, stage), "epochs": len(card["epochs"])}
        row |= {key: card[key] for key in ("best_epoch", "criterion")} | {"most_epochs": stage.recipe.fit["epochs"]}
        row |= {"averaging": dict(averaging)} if (averaging := stage.recipe.fit.get("averaging")) else {}
        row |= {key: card[key] for key in ("unlabelled", "teacher", "start", "starts") if key in card}
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
        if column in row.get("tasks", (column,)):
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


def _bins(study: Study, answers: tuple[str, ...]) -> list[dict[str, float | int | None]]:
    """Return squared errors on test by the gold number, of the task that `multitask.bins` names."""
    assert study.listing is not None
    bins = study.listing.config["bins"]
    instances = study.family.context.data.instances(study.tasks[bins["column"]], split="test")
    gold = [float(instance.references[0]) for instance in instances]
    return binned_errors([float(text) for text in answers], gold=gold, edges=[float(edge) for edge in bins["edges"]])
