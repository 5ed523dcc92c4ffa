"""Answers of an exported classifier, for `dfwe predict`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dfwe.config.tasks import Task
from dfwe.errors import ModelError
from dfwe.families.batching import token_batches
from dfwe.families.classifier.tasks import answers_of
from dfwe.families.classifier.tokenization import encode_instances
from dfwe.families.encoder.data import sentence_batch
from dfwe.families.tokens import Truncation
from dfwe.records import Answer, Instance

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


@dataclass(frozen=True)
class ExportedClassifier:
    """A model for sequence classification: its labels, its tokenizer, and a function from inputs to logits."""

    labels: tuple[str, ...]
    tokenizer: Any
    logits: Callable[..., Tensor]


def classify(
    classifier: ExportedClassifier,
    instances: Sequence[Instance],
    *,
    task: Task,
    max_tokens: int,
    batch_tokens: int,
    truncation: Truncation = "context",
) -> list[Answer]:
    """Return the classifier's answers to a task in order; see `classify_instances`.

    Raises:
        ModelError: its labels are not the task's.
    """
    answers = answers_of(task)
    if answers and classifier.labels != answers:
        raise ModelError(
            f"the classifier has the labels {', '.join(classifier.labels)}, the task '{task.short}' has "
            f"{', '.join(answers)}: ask it for the task that it was made for"
        )
    return classify_instances(
        classifier,
        instances,
        task=task.short,
        labels=task.labels,
        answers=answers,
        max_tokens=max_tokens,
        batch_tokens=batch_tokens,
        truncation=truncation,
    )


def classify_instances(
    classifier: ExportedClassifier,
    instances: Sequence[Instance],
    *,
    task: str,
    labels: Sequence[str],
    answers: Sequence[str],
    max_tokens: int,
    batch_tokens: int,
    truncation: Truncation = "context",
) -> list[Answer]:
    """Return the classifier's answers in order, with the labels' log-probabilities where there are labels.

    `labels` are the gold labels, and `answers` their texts; without both the answers are numbers. A text is cut to
    `max_tokens`, on the side that `truncation` names (`encode_instances`). At most `batch_tokens` are read at once.
    """
    split = encode_instances(
        instances,
        task=task,
        labels=labels,
        tokenizer=classifier.tokenizer,
        max_tokens=max_tokens,
        max_truncated_fraction=1.0,
        truncation=truncation,
    )
    rows: dict[int, Float[np.ndarray, " outputs"]] = {}
    for members in token_batches(split.lengths, max_tokens=batch_tokens):
        batch = sentence_batch(split, members)
        with torch.inference_mode():
            logits = classifier.logits(**{name: batch[name] for name in _INPUTS if name in batch})
        outputs = logits.float().log_softmax(-1) if answers else logits.float()
        rows |= zip(members, outputs.cpu().numpy(), strict=True)
    if not answers:
        return [Answer(repr(float(rows[number][0]))) for number in range(len(instances))]
    return [Answer(answers[int(rows[number].argmax())], rows[number]) for number in range(len(instances))]
