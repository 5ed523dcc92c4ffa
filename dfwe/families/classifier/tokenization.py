"""Instances of a task as the token ids and gold numbers of a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from dfwe.families.encoder.data import SentenceSplit, gold_numbers
from dfwe.families.tokens import Truncation, check_truncation, source_ids
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
    truncation: Truncation,
) -> SentenceSplit:
    """Return the instances' tokens, cut to `max_tokens`: at their beginning, or with `reference` at their end.

    With `context` a source text loses words of its context, so that the question stays. Of one or two sentences, which
    are one sequence, the longer loses its beginning, with `reference` its end.

    Raises:
        DataError: an answer is wrong (`gold_numbers`), or too many questions or sentences are cut
            (`check_truncation`).
    """
    encode = partial(_encode, tokenizer=tokenizer, max_tokens=max_tokens, truncation=truncation)
    encodings = [encode(instance) for instance in instances]
    check_truncation(
        instances,
        [cut for _, _, cut in encodings],
        subject=f"{task}: the question",
        max_tokens=max_tokens,
        most=max_truncated_fraction,
        loses="beginning" if truncation == "context" else "end",
    )
    has_segments = "token_type_ids" in tokenizer.model_input_names
    return SentenceSplit(
        task=task,
        instances=tuple(instances),
        tokens=tuple((ids,) for ids, _, _ in encodings),
        gold=gold_numbers(instances, task=task, labels=labels),
        pad_id=int(tokenizer.pad_token_id),
        segments=tuple((segments,) for _, segments, _ in encodings) if has_segments else None,
        are_numbers=not labels,
    )


def _encode(instance: Instance, *, tokenizer: Any, max_tokens: int, truncation: Truncation) -> Encoding:
    if not instance.sentences and truncation == "context":
        ids, cut = source_ids(instance, tokenizer=tokenizer, max_tokens=max_tokens)
        return ids, [0] * len(ids), cut
    texts = instance.sentences or (instance.source,)
    encoded = tokenizer(*texts, return_token_type_ids=True, verbose=False)
    ids, segments, sentences = encoded["input_ids"], encoded["token_type_ids"], encoded.sequence_ids()
    excess = max(0, len(ids) - max_tokens)
    places = [[place for place, sentence in enumerate(sentences) if sentence == number] for number in range(len(texts))]
    num_kept = [len(sentence) for sentence in places]
    for _ in range(excess):  # of two that are as long, the one that was shorter, as in Transformers' `longest_first`
        num_kept[max(range(len(texts)), key=lambda number: (num_kept[number], -len(places[number])))] -= 1
    dropped: set[int] = set()
    for sentence, num in zip(places, num_kept, strict=True):
        dropped.update(sentence[: len(sentence) - num] if truncation == "context" else sentence[num:])
    rest = [place for place in range(len(ids)) if place not in dropped]
    return [ids[place] for place in rest], [segments[place] for place in rest], excess
