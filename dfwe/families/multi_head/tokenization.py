"""Instances of sentences as token ids and gold numbers, for models with heads."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float

from dfwe.errors import DataError
from dfwe.families.padding import pad
from dfwe.records import Instance

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)


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

    def __len__(self) -> int:
        return len(self.instances)

    @cached_property
    def lengths(self) -> tuple[int, ...]:
        """In tokens, of each example's longest sentence."""
        return tuple(max(len(ids) for ids in sentences) for sentences in self.tokens)


def tokenise_sentences(
    instances: Sequence[Instance],
    *,
    task: str,
    labels: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    max_tokens: int,
    max_truncated_fraction: float,
) -> SentenceSplit:
    """The instances' tokens; a sentence longer than `max_tokens` loses words at its end, its closing token stays.

    Raises:
        DataError: an instance has no sentences, or another number of them than the first; its answer is none of the
            labels, or no number where there are none; or more than `max_truncated_fraction` of the examples
            are cut (fewer are a warning).
    """
    num_sentences = _num_sentences(instances, task=task)
    texts = [sentence for instance in instances for sentence in instance.sentences]
    whole: list[list[int]] = tokenizer(texts, verbose=False)["input_ids"] if texts else []
    _check_cut(instances, task=task, whole=whole, max_tokens=max_tokens, max_truncated_fraction=max_truncated_fraction)
    kept = [ids if len(ids) <= max_tokens else [*ids[: max_tokens - 1], ids[-1]] for ids in whole]
    starts = range(0, len(kept), max(num_sentences, 1))
    return SentenceSplit(
        task=task,
        instances=tuple(instances),
        tokens=tuple(tuple(kept[start : start + num_sentences]) for start in starts),
        gold=np.array([gold_number(instance, task=task, labels=labels) for instance in instances], dtype=np.float64),
        pad_id=tokenizer.pad_token_id,
    )


def sentence_batch(split: SentenceSplit, members: Sequence[int]) -> dict[str, Any]:
    """Return a batch of those examples, for the head of `task`.

    `input_ids` and `attention_mask` are int64 of shape [sentences * batch, length], sentence-major: the first `batch`
    rows are first sentences, the next second ones. `gold` is float32 of shape [batch]. `token_type_ids` are there where
    the split has segments.
    """
    rows = _sentence_major(split.tokens, members)
    batch = {
        "task": split.task,
        "input_ids": pad(rows, value=split.pad_id),
        "attention_mask": pad([[1] * len(ids) for ids in rows], value=0),
        "gold": torch.tensor(split.gold[list(members)], dtype=torch.float32),
    }
    if split.segments is not None:
        batch["token_type_ids"] = pad(_sentence_major(split.segments, members), value=0)
    return batch


def _sentence_major(rows: Sequence[Sequence[list[int]]], members: Sequence[int]) -> list[list[int]]:
    return [ids for sentence in zip(*(rows[member] for member in members), strict=True) for ids in sentence]


def _num_sentences(instances: Sequence[Instance], *, task: str) -> int:
    num_sentences = len(instances[0].sentences) if instances else 0
    for instance in instances:
        if not instance.sentences:
            raise DataError(
                f"{task}, {instance.instance_id}: it has no sentences for a head to read; say in the task's `head` "
                "which columns hold them"
            )
        if len(instance.sentences) != num_sentences:
            raise DataError(
                f"{task}, {instance.instance_id}: it has {len(instance.sentences)} sentences, the first instance "
                f"{num_sentences}; a head reads as many of each"
            )
    return num_sentences


def gold_number(instance: Instance, *, task: str, labels: Sequence[str]) -> float:
    """Return the answer's index among the labels, or the number that it is where there are none; NaN without one.

    Raises:
        DataError: the answer is none of the labels, or not a number.
    """
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


def _check_cut(
    instances: Sequence[Instance],
    *,
    task: str,
    whole: Sequence[list[int]],
    max_tokens: int,
    max_truncated_fraction: float,
) -> None:
    num_sentences = len(whole) // max(len(instances), 1)
    too_long = [(number, len(ids)) for number, ids in enumerate(whole) if len(ids) > max_tokens]
    if not too_long:
        return
    cut = {number // num_sentences for number, _ in too_long}
    first, length = instances[too_long[0][0] // num_sentences], too_long[0][1]
    message = (
        f"{task}: {len(cut)} of {len(instances)} examples have a sentence longer than "
        f"model.max_source_tokens={max_tokens}, the first is {first.instance_id}, by {length - max_tokens} tokens"
    )
    if len(cut) > max_truncated_fraction * len(instances):
        raise DataError(
            f"{message}: raise model.max_source_tokens (data.max_truncated_fraction says how many may lose a part)"
        )
    log.warning("%s: they lose their end", message)
