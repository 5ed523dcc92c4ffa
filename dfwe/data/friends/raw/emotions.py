"""Utterances with an emotion, a row each, as two releases have them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

from dfwe.data.friends.excerpt import Excerpt, Turn
from dfwe.data.friends.marks import Emotion

Utterance = tuple[Any, Turn, str]  # the release's name for the dialogue, what is said, the label


def dialogues(
    utterances: Iterable[Utterance], *, release: str, task: str, key: Callable[[Any], str], last: bool
) -> list[Excerpt]:
    """An excerpt for each run of utterances of one dialogue; `last` as in `Emotion`."""
    excerpts = []
    for name, group in groupby(utterances, key=lambda utterance: utterance[0]):
        lines = [(turn, label) for _, turn, label in group]
        marks = tuple(Emotion(task, number, label, last=last) for number, (_, label) in enumerate(lines))
        excerpts.append(Excerpt(release, key(name), tuple(turn for turn, _ in lines), marks, divisible=True))
    return excerpts
