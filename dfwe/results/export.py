"""Export a study's models as folders that Transformers loads, with what is needed to ask them."""

from __future__ import annotations

import shutil
from pathlib import Path

from dfwe.config.tasks import Task
from dfwe.io.files import replacing_folder, write_json
from dfwe.results.recommendation import BEST
from dfwe.stages.merge import MergeStage
from dfwe.stages.train import TrainStage
from dfwe.studies.study import Study

ASKING, MERGED = "dfwe.json", "merged"


def export_models(study: Study, *, recommended: str | None, folder: Path) -> None:
    """Write the headline's merge into `merged/`, and the recommended model into `best/`.

    Where they are one model `best/` is a copy: a folder of its own, which may be changed without the other.
    """
    if study.asked is not None:
        export(study, name=study.asked, folder=folder / MERGED)
    if recommended is not None and recommended == study.asked:
        with replacing_folder(folder / BEST, mark=ASKING) as new:
            shutil.copytree(folder / MERGED, new, dirs_exist_ok=True)
    elif recommended is not None:
        export(study, name=recommended, folder=folder / BEST)


def export(study: Study, *, name: str, folder: Path) -> None:
    """Write the model of that name; `dfwe.json` there records how it was made and how it is asked."""
    stage = study.models[name]
    assert isinstance(stage, TrainStage | MergeStage), "an ensemble is not a single model"
    entry = stage.result(study.family.context.store)
    merged = isinstance(stage, MergeStage)
    content = {
        "model": name,
        "family": study.family.name,
        "merge": name if merged else None,
        "coefficients": entry.card.result["coefficients"] if merged else None,
        "target": study.objective.short if isinstance(study.objective, Task) else None,
        "tasks": {task.short: dict(task.config) for task in study.tasks.values()},
    }
    with replacing_folder(folder, mark=ASKING) as new:
        asking = study.family.export(stage.model(entry), new)
        write_json(new / ASKING, content | asking)
