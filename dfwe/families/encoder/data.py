"""Instances as token ids for an encoder, and batches of them; nothing here is slow to import."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dfwe.errors import DataError
from dfwe.families.tokens import pad
from dfwe.records import Instance

SentenceBatch = Mapping[str, Any]  # of `sentence_batch`


@dataclass(frozen=True, eq=False)
class SentenceSplit:
    """Instances of one split of a task, each sentence as ids with the tokenizer's special tokens around it.

    `gold` is the index among the task's labels, or the number where it has none; NaN where the answer is unknown.
    """

    task: str  # short name: that of its head
    instances: tuple[Instance, ...]
    tokens: tuple[tuple[list[int], ...], ...]  # by example and sentence; all examples have as many sentences
    gold: Float[np.ndarray, " examples"]
    pad_id: int
    segments: tuple[tuple[list[int], ...], ...] | None = None  # of the tokens, where the model reads such ids
    are_numbers: bool = False  # answers, even where a model that writes would choose among them

    def __len__(self) -> int:
        return len(self.instances)

    @property
    def is_closed(self) -> bool:
        """True if each answer is one of a closed set."""
        return not self.are_numbers and all(instance.candidates for instance in self.instances)

    @cached_property
    def answers(self) -> Float[np.ndarray, " examples"] | Float[np.ndarray, "examples labels"]:
        """What is learnt: `gold`, or a distribution over the labels per example where one has soft labels."""
        weights = [instance.target_weights for instance in self.instances]
        num_labels = max(map(len, weights), default=0)
        if not num_labels:
            return self.gold
        one_hot = np.eye(num_labels)
        rows = [soft or one_hot[int(gold)] for soft, gold in zip(weights, self.gold, strict=True)]
        return np.array(rows, dtype=np.float64)

    @cached_property
    def lengths(self) -> tuple[int, ...]:
        """Number of tokens of each example's longest sentence."""
        return tuple(max(len(ids) for ids in sentences) for sentences in self.tokens)


def gold_numbers(instances: Iterable[Instance], *, task: str, labels: Sequence[str]) -> Float[np.ndarray, " examples"]:
    """Return the answers' indices among the labels, or the numbers that they are without labels; NaN without answer.

    Raises:
        DataError: an answer is not one of the labels, or not a number.
    """
    return np.array([_gold_number(instance, task=task, labels=labels) for instance in instances], dtype=np.float64)


def sentence_batch(
    split: SentenceSplit, members: Sequence[int], *, device: torch.device | str = "cpu"
) -> dict[str, Any]:
    """Return a batch of those examples, for the head of `task`.

    `input_ids` and `attention_mask` are int64 of shape [sentences * batch, length], sentence-major: the first `batch`
    rows are first sentences, the next second ones. `gold` is float32 of shape [batch], of soft labels [batch, labels].
    `token_type_ids` are there where the split has segments.
    """
    rows = _sentence_major(split.tokens, members)
    batch = {
        "task": split.task,
        "input_ids": pad(rows, value=split.pad_id),
        "attention_mask": pad([[1] * len(ids) for ids in rows], value=0),
        "gold": torch.tensor(split.answers[list(members)], dtype=torch.float32),
    }
    if split.segments is not None:
        batch["token_type_ids"] = pad(_sentence_major(split.segments, members), value=0)
    return batch_on(device, batch)


def batch_on(device: torch.device | str, batch: SentenceBatch) -> dict[str, Any]:
    """Return the batch with its tensors on the device."""
    return {name: value.to(device) if isinstance(value, Tensor) else value for name, value in batch.items()}


def _sentence_major(rows: Sequence[Sequence[list[int]]], members: Sequence[int]) -> list[list[int]]:
    return [ids for sentence in zip(*(rows[member] for member in members), strict=True) for ids in sentence]


def _gold_number(instance: Instance, *, task: str, labels: Sequence[str]) -> float:
    if not instance.references:
        return math.nan
    answer = instance.references[0]
    if labels:
        if answer not in labels:
            raise DataError(
                f"{task}, {instance.instance_id}: its answer '{answer}' is none of the task's labels "
                f"{', '.join(labels)}"
            )
        return float(labels.index(answer))
    try:
        return float(answer)
    except ValueError:
        raise DataError(
            f"{task}, {instance.instance_id}: its answer '{answer}' is no number, and the task has no labels; "
            "list them under `labels`"
        ) from None
