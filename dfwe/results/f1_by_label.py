"""The F1 of each label for each model of a study, from the models' answers on test."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from dfwe.config.tasks import Task
from dfwe.metrics.classification import score_classes
from dfwe.metrics.multilabel import MultilabelF1


def class_results(
    task: Task, *, answers: Mapping[str, Sequence[str]], references: Sequence[Sequence[str]]
) -> dict[str, Any]:
    """Return `gold`, how often each label is right on test, and `f1`, each label's by model; empty without labels.

    F1 is a fraction, null for a label that is neither gold nor predicted.
    """
    if not task.labels or not answers:
        return {}
    read = _reader(task)
    scores = {
        name: score_classes([read(text) for text in texts], gold=references, labels=task.labels)
        for name, texts in answers.items()
    }
    first = next(iter(scores.values()))
    return {
        "gold": {label: score.num_gold for label, score in first.items()},
        "f1": {name: {label: score.f1 for label, score in of.items()} for name, of in scores.items()},
    }


def _reader(task: Task) -> Callable[[str], Collection[str]]:
    """Return the function from an answer to the labels that it names."""
    relations = next((metric for metric in task.scorer.metrics.values() if isinstance(metric, MultilabelF1)), None)
    return (lambda text: (text,)) if relations is None else relations.parse
