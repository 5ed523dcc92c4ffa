"""Questions about a dialogue, whose text is cut by whole turns to a number of words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dfwe.data.prompts.fields import field
from dfwe.data.readers.base import Dialogue
from dfwe.errors import DataError
from dfwe.records import Instance


def question_of(
    dialogue: Dialogue,
    instance_id: str,
    *,
    context: str,
    prompt: str,
    answer: tuple[str, ...],
    candidates: Sequence[str] = (),
) -> Instance:
    """Return the instance whose references are the targets."""
    return Instance(
        instance_id=instance_id,
        dialogue_id=dialogue["dialogue_id"],
        context=context,
        prompt=prompt,
        targets=answer,
        references=answer,
        candidates=tuple(candidates),
    )


def turn_texts(dialogue: Dialogue) -> tuple[str, ...]:
    """Return every turn as `speakers: utterance`, or the utterance alone if nobody speaks."""
    return tuple(_turn_text(turn) for turn in dialogue["dialogue"])


def select(texts: Sequence[str], *, sample: Mapping[str, Any], unlabelled: bool, where: str) -> tuple[str, ...]:
    """Return the turns of a sample: those under `turns`, or all if an unlabelled sample lacks them."""
    if unlabelled and "turns" not in sample:
        return tuple(texts)
    indices = field(sample, key="turns", where=where)
    if not isinstance(indices, list):
        raise DataError(f"{where}: 'turns' must be a list of turn numbers")
    for index in indices:
        if not isinstance(index, int) or not 0 <= index < len(texts):
            raise DataError(f"{where}: 'turns' names turn {index}, the dialogue has 0 to {len(texts) - 1}")
    return tuple(texts[index] for index in indices)


def render(texts: Sequence[str]) -> str:
    """Return the source text without the question; of no turns only the bare tag, as in the reference."""
    return "context: " + " ".join(texts)


def cut_start(texts: Sequence[str], *, max_words: int) -> Sequence[str]:
    """Return the last turns with at most `max_words` white-space words together; 0 is no limit.

    Whole turns go, from the start; where the last turn alone is too long, nothing is left.
    """
    start = 0
    counts = [len(text.split()) for text in texts]
    while max_words and sum(counts[start:]) > max_words:
        start += 1
    return texts[start:]


def cut_around(texts: Sequence[str], *, turn: int, max_words: int) -> Sequence[str]:
    """Return the turns around one turn with at most `max_words` white-space words together; 0 is no limit.

    While they are too many, the last turn goes if `turn` lies in the first half of what is left, else the
    first.
    """
    start, end = 0, len(texts)
    counts = [len(text.split()) for text in texts]
    while max_words and sum(counts[start:end]) > max_words:
        if turn - start < (end - start) / 2:
            end -= 1
        else:
            start += 1
    return texts[start:end]


def _turn_text(turn: Mapping[str, Any]) -> str:
    speakers = " ".join(turn["speakers"])
    return f"{speakers}: {turn['utterance']}" if speakers else str(turn["utterance"])
