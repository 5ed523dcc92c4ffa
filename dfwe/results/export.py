"""Export a finished study's models as folders that leave with their card, and with the recipe of a merge."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dfwe.config.tasks import Task, tasks_of
from dfwe.io.files import make_folder, replacing_folder, write_json, write_text
from dfwe.report.model_card import model_card
from dfwe.report.run_folder import BEST, CARD
from dfwe.report.study_results import as_study
from dfwe.results.merge_recipe import EXPERTS, PARENT
from dfwe.results.model_facts import describe_model
from dfwe.stages.merge import MergeStage
from dfwe.stages.train import TrainStage
from dfwe.studies.study import Study

ASKING, MERGED = "dfwe.json", "merged"


def export_models(
    study: Study, *, results: Mapping[str, Any], folder: Path, max_shard_size: str, with_experts: bool
) -> None:
    """Write the headline's merge into `merged/`, and the recommended model into `best/`, each with its card.

    Where they are one model `best/` is a copy: a folder of its own, which may be changed without the other. With
    `with_experts` the models that they are merged of follow, for their recipes.
    """
    recommended = results["recommended"].get("name")
    exports = {MERGED: study.headline, BEST: recommended}
    for place, name in exports.items():
        if name is None:
            continue
        with replacing_folder(folder / place, mark=ASKING) as new:
            if place == BEST and recommended == study.headline:
                shutil.copytree(folder / MERGED, new, dirs_exist_ok=True)
            else:
                _write_model(study, name, folder=new, max_shard_size=max_shard_size)
            facts = describe_model(study, name, folder=new, place=place)
            write_text(new / CARD, model_card(as_study(results), name=name, facts=facts))
    if with_experts:
        _export_experts(study, [*exports.values()], folder=folder, max_shard_size=max_shard_size)


def _write_model(study: Study, name: str, *, folder: Path, max_shard_size: str) -> None:
    """Write the model of that name; `dfwe.json` there records how it was made and how it is asked."""
    stage = study.models[name]
    assert isinstance(stage, TrainStage | MergeStage), "an ensemble or SetFit has no weights to export"
    entry = stage.result(study.family.context.store)
    merged = isinstance(stage, MergeStage)
    content = {
        "model": name,
        "family": study.family.name,
        "merge": name if merged else None,
        "coefficients": entry.card.result["coefficients"] if merged else None,
        "target": study.objective.short if isinstance(study.objective, Task) else None,
        "tasks": {task.short: dict(task.config) for task in study.tasks.values()},
        "quoting": {task.name: quoting for task in study.tasks.values() if (quoting := _quoting(task)) is not None},
    }
    asking = study.family.export(stage.model(entry), folder, max_shard_size=max_shard_size)
    write_json(folder / ASKING, content | asking)


def _quoting(task: Task) -> bool | None:
    """Return whether quotes have a meaning in the task's own train table; None where it has no such table."""
    part: Any = task.data
    for key in ("reader", "files", "train", "quoting"):
        part = part.get(key) if isinstance(part, Mapping) else None
    return part if isinstance(part, bool) else None


def _export_experts(study: Study, names: list[str | None], *, folder: Path, max_shard_size: str) -> None:
    """Write the experts of these merges, and their parent, as folders in Transformers' format."""
    merges = [stage for name in names if name and isinstance(stage := study.models[name], MergeStage)]
    store = study.family.context.store
    if merges:
        make_folder(folder / EXPERTS)
    for name, stage in {name: expert for merge in merges for name, expert in merge.experts.items()}.items():
        with replacing_folder(folder / EXPERTS / name, mark=ASKING) as new:
            study.family.export(stage.model(stage.result(store)), new, max_shard_size=max_shard_size)
            write_json(new / ASKING, {"model": name, "family": study.family.name})
    if any(stage.method.properties.needs_parent for stage in merges):
        with replacing_folder(folder / PARENT, mark=ASKING) as new:
            model = study.family.model(tasks_of(merges[0].target))
            study.family.export(model, new, max_shard_size=max_shard_size)
            write_json(new / ASKING, {"model": PARENT, "family": study.family.name})
