"""Answers of an exported classifier, for `python -m dfwe.predict`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dfwe.config.tasks import Task
from dfwe.errors import ModelError
from dfwe.families.classifier.model import Classifier
from dfwe.families.classifier.tasks import answers_of
from dfwe.families.classifier.tokenization import encode_instances
from dfwe.families.multi_head.scorer import HeadScorer
from dfwe.families.seq2seq.inference.answers import Answer
from dfwe.records import Instance


def classify(
    network: Any, instances: Sequence[Instance], *, task: Task, tokenizer: Any, max_tokens: int, batch_tokens: int
) -> list[Answer]:
    """Return the network's answers in order, with the labels' log-probabilities where there are labels.

    The network is a model for sequence classification as Transformers loads it; it is used up. At most `batch_tokens`
    tokens are read at once.

    Raises:
        ModelError: its labels are not the task's.
    """
    answers = answers_of(task)
    labels = tuple(network.config.id2label[index] for index in sorted(network.config.id2label))
    if answers and labels != answers:
        raise ModelError(
            f"the classifier has the labels {', '.join(labels)}, the task '{task.short}' has {', '.join(answers)}: "
            "ask it for the task that it was made for"
        )
    model = Classifier({task.short: network}, answers={task.short: answers})
    split = encode_instances(
        instances,
        task=task.short,
        labels=task.labels,
        tokenizer=tokenizer,
        max_tokens=max_tokens,
        max_truncated_fraction=1.0,
    )
    rows = HeadScorer(split, scorer=task.scorer, max_tokens=batch_tokens).answers(model)
    return [Answer(text, scores) for text, scores in rows]
