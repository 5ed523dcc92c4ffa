"""Instances of sentences as token ids, for models that read each sentence apart."""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from dfwe.errors import DataError
from dfwe.families.encoder.data import SentenceSplit, gold_numbers
from dfwe.families.tokens import check_truncation
from dfwe.records import Instance


def tokenise_sentences(
    instances: Sequence[Instance],
    *,
    task: str,
    labels: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    max_tokens: int,
    max_truncated_fraction: float,
) -> SentenceSplit:
    """Return the instances' tokens; a sentence longer than `max_tokens` loses words at its end.

    Raises:
        DataError: an instance has no sentences, or another number of them than the first; an answer is wrong
            (`gold_numbers`); or too many examples are cut (`check_truncation`).
    """
    _check_sentences(instances, task=task)
    num_sentences = len(instances[0].sentences) if instances else 1
    texts = [sentence for instance in instances for sentence in instance.sentences]
    whole: list[list[int]] = tokenizer(texts, verbose=False)["input_ids"] if texts else []
    rows = [tuple(whole[start : start + num_sentences]) for start in range(0, len(whole), num_sentences)]
    check_truncation(
        instances,
        [max(0, max(map(len, row)) - max_tokens) for row in rows],
        subject=f"{task}: a sentence",
        max_tokens=max_tokens,
        most=max_truncated_fraction,
        loses="end",
    )
    return SentenceSplit(
        task=task,
        instances=tuple(instances),
        tokens=tuple(tuple(_cut(ids, max_tokens=max_tokens) for ids in row) for row in rows),
        gold=gold_numbers(instances, task=task, labels=labels),
        pad_id=tokenizer.pad_token_id,
        are_numbers=not labels,
    )


def _cut(ids: list[int], *, max_tokens: int) -> list[int]:
    """Return the ids without those before the closing token that are too many."""
    return ids if len(ids) <= max_tokens else [*ids[: max_tokens - 1], ids[-1]]


def _check_sentences(instances: Sequence[Instance], *, task: str) -> None:
    for instance in instances:
        if not instance.sentences:
            raise DataError(
                f"{task}, {instance.instance_id}: it has no sentences for a head to read; set in the task's `head` "
                "which columns hold them"
            )
        if len(instance.sentences) != len(instances[0].sentences):
            raise DataError(
                f"{task}, {instance.instance_id}: it has {len(instance.sentences)} sentences, the first instance "
                f"{len(instances[0].sentences)}; a head reads as many of each"
            )
