"""Outside tasks: questions that any unlabelled dialogue answers by itself, to pre-train a small model on.

None is a task of the benchmark. They teach to read the prompt, to find and copy words, to tell speakers apart, to look
at the last turn, and which words stand together. All ask about places of the dialogue drawn at random, the same for
the same seed, task and dialogue.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dfwe.data.prompts.base import Prompt
from dfwe.data.prompts.context import cut_start, render, turn_texts
from dfwe.data.readers.base import Dialogue
from dfwe.records import Instance
from dfwe.values.allowed import Count

Words = list[list[str]]  # of each turn's utterance
Place = tuple[int, int]  # number of a turn, number of a word in it

_MARKS = ".,!?"


@dataclass(frozen=True, kw_only=True)
class Continue(Prompt):
    """`context: {turns, the last one cut} {word}:` is answered with the word that came next.

    The cut is before a word of `at`, which the prompt gives: "I feel merry and glad." becomes "I feel merry. and:".
    """

    num_asked: Count  # of a dialogue, at most
    at: Sequence[str]

    def instances(self, dialogue: Dialogue, *, max_words: int, seed: int) -> Iterator[Instance]:
        """The dialogue's cuts; see Prompt."""
        words, ask = _words(dialogue), _Asker(dialogue, self.task, max_words=max_words, seed=seed)
        for turn, cut in ask.draw(_inside(words, self.at), num_asked=self.num_asked):
            said = words[turn]
            heard = [*words[:turn], [*said[: cut - 1], said[cut - 1] + "."]]
            yield ask.instance(heard, prompt=f" {said[cut]}:", answer=_bare(said[cut + 1 : cut + 2]))


@dataclass(frozen=True, kw_only=True)
class GoesOn(Prompt):
    """`context: {turns} after '{words}' comes` is answered with the next words, at most `num_next` of the turn.

    Asked about phrases of `num_words` words that the dialogue has once.
    """

    num_asked: Count  # of a dialogue, at most
    num_words: Count
    num_next: Count

    def instances(self, dialogue: Dialogue, *, max_words: int, seed: int) -> Iterator[Instance]:
        """The dialogue's phrases; see Prompt."""
        words, ask = _words(dialogue), _Asker(dialogue, self.task, max_words=max_words, seed=seed)
        places = _unique(words, length=self.num_words)
        followed = [(turn, at) for turn, at in places if at + self.num_words < len(words[turn])]
        for turn, at in ask.draw(followed, num_asked=self.num_asked):
            end = at + self.num_words
            prompt = f" after '{_bare(words[turn][at:end])}' comes"
            yield ask.instance(words, prompt=prompt, answer=_bare(words[turn][end : end + self.num_next]))


@dataclass(frozen=True, kw_only=True)
class LastWords(Prompt):
    """`context: {turns} {name} ends with:` is answered with the last words that this speaker says.

    At most `num_words` of their last turn; asked with their first name.
    """

    num_asked: Count  # of a dialogue, at most
    num_words: Count

    def instances(self, dialogue: Dialogue, *, max_words: int, seed: int) -> Iterator[Instance]:
        """The dialogue's speakers; see Prompt."""
        words, ask = _words(dialogue), _Asker(dialogue, self.task, max_words=max_words, seed=seed)
        last = {turn["speakers"][0].split()[0]: number for number, turn in enumerate(dialogue["dialogue"])}
        names = list(last)
        for which, _ in ask.draw([(which, 0) for which in range(len(names))], num_asked=self.num_asked):
            answer = _bare(words[last[names[which]]][-self.num_words :])
            yield ask.instance(words, prompt=f" {names[which]} ends with:", answer=answer)


class _Asker:
    """Draws what is asked of one dialogue and numbers the instances."""

    def __init__(self, dialogue: Dialogue, task: str, *, max_words: int, seed: int) -> None:
        self._dialogue, self._max_words = dialogue, max_words
        self._id = dialogue["dialogue_id"]
        self._rng = np.random.default_rng([seed, zlib.crc32(f"{task} {self._id}".encode())])
        self._num_asked = 0

    def draw(self, places: Sequence[Place], *, num_asked: int) -> Iterator[Place]:
        """At most so many of the places, in random order."""
        for which in self._rng.permutation(len(places))[:num_asked]:
            yield places[which]

    def instance(self, words: Words, *, prompt: str, answer: str) -> Instance:
        """An instance whose context is the first turns of the dialogue, but with these words."""
        turns = zip(self._dialogue["dialogue"], words, strict=False)
        heard = {"dialogue": [{"speakers": turn["speakers"], "utterance": " ".join(said)} for turn, said in turns]}
        self._num_asked += 1
        return Instance(
            instance_id=f"{self._id}_{self._num_asked - 1}",
            dialogue_id=self._id,
            context=render(cut_start(turn_texts(heard), max_words=self._max_words)),
            prompt=prompt,
            targets=(answer,),
            references=(answer,),
        )


def _words(dialogue: Dialogue) -> Words:
    return [turn["utterance"].split() for turn in dialogue["dialogue"]]


def _bare(words: Sequence[str]) -> str:
    return " ".join(words).strip(_MARKS)


def _inside(words: Words, wanted: Sequence[str]) -> list[Place]:
    return [(turn, at) for turn, said in enumerate(words) for at in range(1, len(said) - 1) if said[at] in wanted]


def _unique(words: Words, *, length: int) -> list[Place]:
    places = [(turn, at) for turn, said in enumerate(words) for at in range(len(said) - length + 1)]
    phrases = [_bare(words[turn][at : at + length]).lower() for turn, at in places]
    return [place for place, phrase in zip(places, phrases, strict=True) if phrases.count(phrase) == 1]
