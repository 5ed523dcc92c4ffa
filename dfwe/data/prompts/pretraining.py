"""Self-supervised questions about unlabelled dialogues, to pre-train a small model.

None is a task of the benchmark. They teach to read the prompt, to find and copy words, to distinguish speakers, to look
at the last turn, and to know which words stand together. Places in the dialogue are drawn at random, equal for equal
seed, task and dialogue.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from dfwe.data.prompts.base import Prompt
from dfwe.data.prompts.context import cut_start, question_of, render, turn_texts
from dfwe.data.readers.base import Dialogue
from dfwe.records import Instance
from dfwe.values.allowed import Count

T = TypeVar("T")
Words = list[list[str]]  # of each turn's utterance
Place = tuple[int, int]  # number of a turn, number of a word in it

_MARKS = ".,!?"


@dataclass(frozen=True, kw_only=True)
class NextWord(Prompt):
    """`context: {turns, the last one cut} {word}:` is answered with the word that came next.

    The cut is before one of `markers`, which the prompt gives: "I feel merry and glad." becomes "I feel merry. and:".
    """

    num_questions: Count  # of a dialogue, at most
    markers: Sequence[str]

    def instances(self, dialogue: Dialogue, *, max_words: int, seed: int) -> Iterator[Instance]:
        """Yield the dialogue's cuts; see Prompt."""
        words, questions = _words(dialogue), _Questions(dialogue, self.task, max_words=max_words, seed=seed)
        for turn, cut in questions.draw(_inside(words, self.markers), at_most=self.num_questions):
            last = words[turn]
            context = [*words[:turn], [*last[: cut - 1], last[cut - 1] + "."]]
            yield questions.instance(context, prompt=f" {last[cut]}:", answer=_bare(last[cut + 1 : cut + 2]))


@dataclass(frozen=True, kw_only=True)
class PhraseContinuation(Prompt):
    """`context: {turns} after '{words}' comes` is answered with the next words, at most `num_next` of the turn.

    Asked about phrases of `num_words` words that the dialogue has once.
    """

    num_questions: Count  # of a dialogue, at most
    num_words: Count
    num_next: Count

    def instances(self, dialogue: Dialogue, *, max_words: int, seed: int) -> Iterator[Instance]:
        """Yield the dialogue's phrases; see Prompt."""
        words, questions = _words(dialogue), _Questions(dialogue, self.task, max_words=max_words, seed=seed)
        places = _unique(words, length=self.num_words)
        places_before_words = [(turn, at) for turn, at in places if at + self.num_words < len(words[turn])]
        for turn, at in questions.draw(places_before_words, at_most=self.num_questions):
            end = at + self.num_words
            prompt = f" after '{_bare(words[turn][at:end])}' comes"
            yield questions.instance(words, prompt=prompt, answer=_bare(words[turn][end : end + self.num_next]))


@dataclass(frozen=True, kw_only=True)
class LastWords(Prompt):
    """`context: {turns} {name} ends with:` is answered with the last words that this speaker says.

    At most `num_words` of their last turn; asked with their first name.
    """

    num_questions: Count  # of a dialogue, at most
    num_words: Count

    def instances(self, dialogue: Dialogue, *, max_words: int, seed: int) -> Iterator[Instance]:
        """Yield the dialogue's speakers; see Prompt."""
        words, questions = _words(dialogue), _Questions(dialogue, self.task, max_words=max_words, seed=seed)
        last = {turn["speakers"][0].split()[0]: number for number, turn in enumerate(dialogue["dialogue"])}
        for name, turn in questions.draw(list(last.items()), at_most=self.num_questions):
            yield questions.instance(words, prompt=f" {name} ends with:", answer=_bare(words[turn][-self.num_words :]))


class _Questions:
    """Random draws of one dialogue's questions, with numbers for the instances."""

    def __init__(self, dialogue: Dialogue, task: str, *, max_words: int, seed: int) -> None:
        self._dialogue, self._max_words, self._numbers = dialogue, max_words, itertools.count()
        self._rng = np.random.default_rng([seed, zlib.crc32(f"{task} {dialogue['dialogue_id']}".encode())])

    def draw(self, options: Sequence[T], *, at_most: int) -> Iterator[T]:
        """Yield at most this number of options, in random order."""
        for index in self._rng.permutation(len(options))[:at_most]:
            yield options[index]

    def instance(self, words: Words, *, prompt: str, answer: str) -> Instance:
        """Return an instance whose context is the first turns of the dialogue, with these words instead."""
        turns = zip(self._dialogue["dialogue"], words, strict=False)
        context = {"dialogue": [{"speakers": t["speakers"], "utterance": " ".join(spoken)} for t, spoken in turns]}
        instance_id = f"{self._dialogue['dialogue_id']}_{next(self._numbers)}"
        text = render(cut_start(turn_texts(context), max_words=self._max_words))
        return question_of(self._dialogue, instance_id, context=text, prompt=prompt, answer=(answer,))


def _words(dialogue: Dialogue) -> Words:
    return [turn["utterance"].split() for turn in dialogue["dialogue"]]


def _bare(words: Sequence[str]) -> str:
    return " ".join(words).strip(_MARKS)


def _inside(words: Words, markers: Sequence[str]) -> list[Place]:
    return [(turn, at) for turn, text in enumerate(words) for at in range(1, len(text) - 1) if text[at] in markers]


def _unique(words: Words, *, length: int) -> list[Place]:
    places = [(turn, at) for turn, text in enumerate(words) for at in range(len(text) - length + 1)]
    phrases = [_bare(words[turn][at : at + length]).lower() for turn, at in places]
    return [place for place, phrase in zip(places, phrases, strict=True) if phrases.count(phrase) == 1]
