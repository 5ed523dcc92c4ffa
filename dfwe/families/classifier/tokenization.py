"""Instances of a task as the token ids and gold numbers of a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dfwe.families.encoder.data import SentenceSplit, gold_numbers
from dfwe.families.tokens import check_truncation, source_ids
from dfwe.records import Instance

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
        DataError: an answer is wrong (`gold_numbers`), or too many questions or sentences are cut
            (`check_truncation`).
    """
    encodings = [_encode(instance, tokenizer=tokenizer, max_tokens=max_tokens) for instance in instances]
    check_truncation(
        instances,
        [cut for _, _, cut in encodings],
        subject=f"{task}: the question",
        max_tokens=max_tokens,
        most=max_truncated_fraction,
        loses="beginning",
    )
    has_segments = "token_type_ids" in tokenizer.model_input_names
    return SentenceSplit(
        task=task,
        instances=tuple(instances),
        tokens=tuple((ids,) for ids, _, _ in encodings),
        gold=gold_numbers(instances, task=task, labels=labels),
        pad_id=int(tokenizer.pad_token_id),
        segments=tuple((segments,) for _, segments, _ in encodings) if has_segments else None,
    )


def _encode(instance: Instance, *, tokenizer: Any, max_tokens: int) -> Encoding:
    if not instance.sentences:
        ids, cut = source_ids(instance, tokenizer=tokenizer, max_tokens=max_tokens)
        return ids, [0] * len(ids), cut
    encoded = tokenizer(*instance.sentences, return_token_type_ids=True, verbose=False)
    ids, segments = list(encoded["input_ids"]), list(encoded["token_type_ids"])
    sentences: list[Any] = encoded.sequence_ids()
    excess = max(0, len(ids) - max_tokens)
    for _ in range(excess):
        longest = max(range(len(instance.sentences)), key=sentences.count)
        place = sentences.index(longest)
        del ids[place], segments[place], sentences[place]
    return ids, segments, excess
