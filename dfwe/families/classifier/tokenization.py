"""Instances of a task as the token ids and gold numbers of a classifier."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from dfwe.errors import DataError
from dfwe.families.multi_head.tokenization import SentenceSplit, gold_number
from dfwe.families.seq2seq.tokenization import TokenLimits, source_ids
from dfwe.records import Instance

log = logging.getLogger(__name__)

Encoding = tuple[list[int], list[int], int]  # ids, segments, and how many tokens of the question were cut


def encode_instances(
    instances: Sequence[Instance],
    *,
    task: str,
    labels: Sequence[str],
    tokenizer: Any,
    max_tokens: int,
    max_truncated_fraction: float,
) -> SentenceSplit:
    """Return the instances' tokens, cut at their beginning to `max_tokens`.

    A source text loses words of its context, so that the question stays. Of one or two sentences, which are one
    sequence, the longer loses its beginning.

    Raises:
        DataError: an answer that is not one of the labels, or not a number where there are none; more than
            `max_truncated_fraction` of the examples lose a part of their question or sentences (fewer are a warning).
    """
    limits = TokenLimits(max_tokens, 1)
    encodings = [_encode(instance, tokenizer=tokenizer, limits=limits) for instance in instances]
    _check_cut(
        instances,
        [cut for _, _, cut in encodings],
        task=task,
        limits=limits,
        max_truncated_fraction=max_truncated_fraction,
    )
    return SentenceSplit(
        task=task,
        instances=tuple(instances),
        tokens=tuple((ids,) for ids, _, _ in encodings),
        gold=np.array([gold_number(each, task=task, labels=labels) for each in instances], dtype=np.float64),
        pad_id=int(tokenizer.pad_token_id),
        segments=tuple((segments,) for _, segments, _ in encodings) if _has_segments(tokenizer) else None,
    )


def _has_segments(tokenizer: Any) -> bool:
    return "token_type_ids" in tokenizer.model_input_names


def _encode(instance: Instance, *, tokenizer: Any, limits: TokenLimits) -> Encoding:
    if not instance.sentences:
        ids, cut = source_ids(instance, tokenizer=tokenizer, limits=limits)
        return ids, [0] * len(ids), cut
    encoded = tokenizer(*instance.sentences, return_token_type_ids=True, verbose=False)
    ids, segments = list(encoded["input_ids"]), list(encoded["token_type_ids"])
    sentences: list[Any] = encoded.sequence_ids()
    excess = max(0, len(ids) - limits.max_source_tokens)
    for _ in range(excess):
        longest = max(range(len(instance.sentences)), key=sentences.count)
        place = sentences.index(longest)
        del ids[place], segments[place], sentences[place]
    return ids, segments, excess


def _check_cut(
    instances: Sequence[Instance], cuts: Sequence[int], *, task: str, limits: TokenLimits, max_truncated_fraction: float
) -> None:
    lossy = [(instance, cut) for instance, cut in zip(instances, cuts, strict=True) if cut]
    if not lossy:
        return
    first, tokens = lossy[0]
    message = (
        f"{task}: the question of {len(lossy)} of {len(instances)} examples is longer than "
        f"model.max_source_tokens={limits.max_source_tokens}, the first is {first.instance_id}'s, by {tokens} tokens"
    )
    if len(lossy) > max_truncated_fraction * len(instances):
        raise DataError(
            f"{message}: raise model.max_source_tokens, or data.max_truncated_fraction, the share that may be cut"
        )
    log.warning("%s: they lose their beginning", message)
