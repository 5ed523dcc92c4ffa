"""Write what every model of a study answered on test, for reports that do not have the study's code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dfwe.config.tasks import Task
from dfwe.data.prompts.emotion import Emotion
from dfwe.data.prompts.template import Template
from dfwe.errors import StoreError
from dfwe.io.files import write_json
from dfwe.io.strict_json import read_json
from dfwe.metrics.multilabel import MultilabelF1
from dfwe.report.run_folder import TEST_PREDICTIONS
from dfwe.stages.evaluate import ANSWERS
from dfwe.studies.study import Study


def write_answers(study: Study, *, folder: Path) -> None:
    """Write the models' answers with the instances' ids and gold answers, and how the task reads an answer."""
    store = study.family.context.store
    cards = {name: stage.result(store).file(ANSWERS) for name, stage in study.evaluations.items()}
    stored = {name: read_json(path, error=StoreError) for name, path in cards.items()}
    instances = study.family.context.data.instances(study.target, split="test")
    content = {
        "format": 1,
        "task": understanding(study.target),
        "instance_ids": [answer["instance_id"] for answer in next(iter(stored.values()))],
        "gold": [list(instance.references) for instance in instances],
        "models": {name: [answer["prediction"] for answer in answers] for name, answers in stored.items()},
    }
    write_json(folder / TEST_PREDICTIONS, content)


def questions(task: Task) -> dict[str, Any]:
    """Return what the task's model is asked: `texts` (of turns), `rows` with `columns`, or whole `dialogues`."""
    if isinstance(task.prompt, Template):
        return {"form": "rows", "columns": list(task.prompt.columns)}
    return {"form": "texts" if isinstance(task.prompt, Emotion) else "dialogues"}


def understanding(task: Task) -> dict[str, Any]:
    """Return the task's name and labels, and how a text becomes a prediction: a label, relations, or itself."""
    content: dict[str, Any] = {
        "name": task.name,
        "kind": "label" if task.labels else "text",
        "labels": list(task.labels),
    }
    relations = next((metric for metric in task.scorer.metrics.values() if isinstance(metric, MultilabelF1)), None)
    if relations is not None:
        names, default, whole_words = dict(relations.names), relations.default, relations.whole_words
        content |= {"kind": "relations", "names": names, "default": default, "whole_words": whole_words}
    return content
