"""Write the files of a finished study into its run folder: answers, journals, the page."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig

from dfwe.config.tasks import Task
from dfwe.errors import StoreError
from dfwe.io.files import replacing, write_json
from dfwe.io.strict_json import read_json
from dfwe.report.run_folder import TEST_PREDICTIONS
from dfwe.results.details import relations_metric
from dfwe.stages.evaluate import ANSWERS
from dfwe.stages.merge import MergeStage
from dfwe.studies.study import Study


def write_answers(study: Study, *, folder: Path) -> None:
    """Write the models' answers with the instances' ids and gold answers, and how the task reads an answer."""
    store = study.family.context.store
    cards = {name: stage.result(store).file(ANSWERS) for name, stage in study.evaluations.items()}
    stored = {name: read_json(path, error=StoreError) for name, path in cards.items()}
    instances = study.family.context.data.instances(study.target, split="test")
    content = {
        "format": 1,
        "task": answer_format(study.target),
        "instance_ids": [answer["instance_id"] for answer in next(iter(stored.values()))],
        "gold": [list(instance.references) for instance in instances],
        "models": {name: [answer["prediction"] for answer in answers] for name, answers in stored.items()},
    }
    write_json(folder / TEST_PREDICTIONS, content)


def answer_format(task: Task) -> dict[str, Any]:
    """Return the task's name and labels, and how a text becomes a prediction: a label, relations, or itself."""
    content: dict[str, Any] = {
        "name": task.name,
        "kind": "label" if task.labels else "text",
        "labels": list(task.labels),
    }
    relations = relations_metric(task)
    if relations is not None:
        names, default, whole_words = dict(relations.names), relations.default, relations.whole_words
        content |= {"kind": "relations", "names": names, "default": default, "whole_words": whole_words}
    return content


def copy_journals(
    merges: Mapping[str, MergeStage], *, headline: str | None, files: Sequence[str], folder: Path
) -> None:
    """Copy each merge's files, under their names in the store for the headline's merge, else with the merge's.

    `trials.jsonl` and `trials_<merge>.jsonl`, and so on.
    """
    for name, stage in merges.items():
        entry = stage.result(stage.family.context.store)
        suffix = "" if name == headline else f"_{name}"
        for file in files:
            path = Path(file)
            with replacing(folder / f"{path.stem}{suffix}{path.suffix}") as copy:
                shutil.copyfile(entry.file(file), copy)


def write_report(folder: Path) -> None:
    """Write `report.html` and `pictures/` into the run's folder, from the files that lie there."""
    from dfwe.report.html.run_page import write_run_page  # matplotlib: a second, which the study's start should not pay

    print(f"report: {write_run_page(folder)}")


def command() -> dict[str, str]:
    """Return `command`, that of this job alone in a sweep; nothing where no command began the study."""
    if not HydraConfig.initialized():
        return {}
    return {"command": shlex.join(["python", "-m", "dfwe.run", *HydraConfig.get().overrides.task])}
