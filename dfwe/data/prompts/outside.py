"""Outside tasks: questions that any unlabelled dialogue answers by itself, to pre-train a small model on.

None is a task of the benchmark. They teach to read the prompt, to find and copy words, to tell speakers apart, to look
at the last turn, and which words stand together. All ask about places of the dialogue drawn at random, the same for
the same seed, task and dialogue.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dfwe.data.prompts.base import Prompt
from dfwe.records import Instance

Dialogue = Mapping[str, Any]
Place = tuple[int, int]  # number of a turn, number of a word of its utterance


@dataclass(frozen=True)
class FillGap(Prompt):
    """`context: {turns, one word left out} fill:` is answered with the word.

    Words that follow one of `after` are left out: in "glad and merry", `after: [and]` leaves out merry, which its
    neighbour makes likely.
    """

    task: str
    num_asked: int  # of a dialogue, at most
    after: tuple[str, ...] | list[str]

    def instances(self, dialogue: Dialogue, *, max_words: int, seed: int) -> Iterator[Instance]:
        """The dialogue's gaps."""
        words = _words(dialogue)
        places = [
            (turn, at) for turn, at in _places(words, length=1) if at and words[turn][at - 1] in self.after
        ]
        for number, (turn, at) in _drawn(places, asked=self, dialogue=dialogue, seed=seed):
            answer = words[turn][at].strip(".,!?")
            line = [*words[turn][:at], words[turn][at].replace(answer, "___"), *words[turn][at + 1 :]]
            gapped = [*words[:turn], line, *words[turn + 1 :]]
            yield _instance(
                dialogue, number, words=gapped, prompt=" fill:", answer=answer, max_words=max_words
            )


@dataclass(frozen=True)
class WhoSays(Prompt):
    """`context: {turns} who says '{words}'?` is answered with the speaker's first name in lower case."""

    task: str
    num_asked: int
    num_words: int

    def instances(self, dialogue: Dialogue, *, max_words: int, seed: int) -> Iterator[Instance]:
        """Questions about phrases that stand in one turn only."""
        words = _words(dialogue)
        places = _unique(words, length=self.num_words)
        for number, (turn, at) in _drawn(places, asked=self, dialogue=dialogue, seed=seed):
            prompt = f" who says '{_phrase(words[turn][at : at + self.num_words])}'?"
            answer = _first_name(dialogue["dialogue"][turn])
            yield _instance(dialogue, number, words=words, prompt=prompt, answer=answer, max_words=max_words)


@dataclass(frozen=True)
class NextWords(Prompt):
    """`context: {turns} after '{words}' comes` is answered with the next `num_next` words."""

    task: str
    num_asked: int
    num_words: int
    num_next: int

    def instances(self, dialogue: Dialogue, *, max_words: int, seed: int) -> Iterator[Instance]:
        """Questions about phrases that the dialogue has once."""
        words = _words(dialogue)
        whole = self.num_words + self.num_next
        places = [
            (turn, at) for turn, at in _unique(words, length=self.num_words) if at + whole <= len(words[turn])
        ]
        for number, (turn, at) in _drawn(places, asked=self, dialogue=dialogue, seed=seed):
            prompt = f" after '{_phrase(words[turn][at : at + self.num_words])}' comes"
            answer = _phrase(words[turn][at + self.num_words : at + whole])
            yield _instance(dialogue, number, words=words, prompt=prompt, answer=answer, max_words=max_words)


@dataclass(frozen=True)
class LastWords(Prompt):
    """`context: {turns up to one} last words:` is answered with that turn's last `num_words` words."""

    task: str
    num_asked: int
    num_words: int

    def instances(self, dialogue: Dialogue, *, max_words: int, seed: int) -> Iterator[Instance]:
        """Questions about turns that are long enough."""
        words = _words(dialogue)
        places = [(turn, 0) for turn, said in enumerate(words) if len(said) >= self.num_words]
        for number, (turn, _) in _drawn(places, asked=self, dialogue=dialogue, seed=seed):
            answer = _phrase(words[turn][-self.num_words :])
            heard = words[: turn + 1]
            yield _instance(
                dialogue, number, words=heard, prompt=" last words:", answer=answer, max_words=max_words
            )


@dataclass(frozen=True)
class Speaks(Prompt):
    """`context: {turns up to one} speaking:` is answered with the first name, in lower case, of who speaks last."""

    task: str
    num_asked: int

    def instances(self, dialogue: Dialogue, *, max_words: int, seed: int) -> Iterator[Instance]:
        """Questions about random turns."""
        words = _words(dialogue)
        places = [(turn, 0) for turn in range(len(words))]
        for number, (turn, _) in _drawn(places, asked=self, dialogue=dialogue, seed=seed):
            answer = _first_name(dialogue["dialogue"][turn])
            heard = words[: turn + 1]
            yield _instance(
                dialogue, number, words=heard, prompt=" speaking:", answer=answer, max_words=max_words
            )


def _words(dialogue: Dialogue) -> list[list[str]]:
    return [turn["utterance"].split() for turn in dialogue["dialogue"]]


def _first_name(turn: Mapping[str, Any]) -> str:
    return str(turn["speakers"][0]).split()[0].lower()


def _phrase(words: list[str]) -> str:
    return " ".join(words).strip(".,!?")


def _places(words: list[list[str]], *, length: int) -> list[Place]:
    return [(turn, at) for turn, said in enumerate(words) for at in range(len(said) - length + 1)]


def _unique(words: list[list[str]], *, length: int) -> list[Place]:
    places = _places(words, length=length)
    phrases = [_phrase(words[turn][at : at + length]).lower() for turn, at in places]
    return [place for place, phrase in zip(places, phrases, strict=True) if phrases.count(phrase) == 1]


def _drawn(places: list[Place], *, asked: Any, dialogue: Dialogue, seed: int) -> Iterator[tuple[int, Place]]:
    key = zlib.crc32(f"{asked.task} {dialogue['dialogue_id']}".encode())
    order = np.random.default_rng([seed, key]).permutation(len(places))[: asked.num_asked]
    yield from enumerate(places[which] for which in order)


def _instance(
    dialogue: Dialogue, number: int, *, words: list[list[str]], prompt: str, answer: str, max_words: int
) -> Instance:
    turns = [
        f"{turn['speakers'][0]}: {' '.join(said)}"
        for turn, said in zip(dialogue["dialogue"], words, strict=False)
    ]
    while max_words and sum(len(turn.split()) for turn in turns) > max_words:
        turns.pop(0)
    return Instance(
        instance_id=f"{dialogue['dialogue_id']}_{number}",
        dialogue_id=dialogue["dialogue_id"],
        context=f"context: {' '.join(turns)}",
        prompt=prompt,
        targets=(answer,),
        references=(answer,),
    )
