"""A seeded writer of scenes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from dfwe.data.toy.dialogue import Deed, DialogueStyle, Mood, Turn
from dfwe.data.toy.lexicon import (
    AWAY_PLACES,
    CARELESS_VERBS,
    FEELINGS,
    FILLERS,
    HOME_PLACES,
    KINSHIPS,
    OUTSIDERS,
    PLAIN,
    SPEAKERS,
    THINGS,
    TIDY_VERBS,
    TOWNS,
    Person,
)

_T = TypeVar("_T")


def write_scene(manner: DialogueStyle, *, rng: np.random.Generator) -> tuple[Turn, ...]:
    """One scene of two or three speakers who take turns, nobody twice in a row."""
    return _Writer(manner, rng=rng).scene()


class _Writer:
    """What a scene must keep in mind while it is written: kinships, and the words not used yet."""

    def __init__(self, manner: DialogueStyle, *, rng: np.random.Generator) -> None:
        self._manner = manner
        self._rng = rng
        num_speakers = 3 if self._happens(manner.third_speaker) else 2
        self._speakers = [SPEAKERS[i] for i in rng.permutation(len(SPEAKERS))[:num_speakers]]
        self._verbs = [str(verb) for verb in rng.permutation((*TIDY_VERBS, *CARELESS_VERBS))]
        self._things = [str(thing) for thing in rng.permutation(THINGS)]
        self._places = [str(place) for place in rng.permutation((*HOME_PLACES, *AWAY_PLACES))]
        self._towns = dict(zip(self._speakers, rng.permutation(TOWNS), strict=False))
        self._kinships = self._draw_kinships()
        self._told_of: Person | None = None  # whom the last deed was told of by name
        self._turns: list[Turn] = []

    def scene(self) -> tuple[Turn, ...]:
        num_turns = int(self._rng.integers(self._manner.min_turns, self._manner.max_turns + 1))
        while len(self._turns) < num_turns:
            self._turns.append(self._turn())
        return tuple(self._turns)

    def _turn(self) -> Turn:
        before = self._turns[-1].speaker if self._turns else None
        speaker = self._pick([one for one in self._speakers if one is not before])
        addressee, opener, kinship = self._open(speaker, before=before)
        deed = self._deed(speaker, addressee=addressee)
        tells_home = deed is None and self._happens(self._manner.home)
        mood = self._mood(addressee)
        home = str(self._towns[speaker]) if tells_home else ""
        filler = "" if deed or home or mood else self._pick(FILLERS)
        return Turn(speaker, addressee, opener, kinship, deed=deed, home=home, filler=filler, mood=mood)

    def _open(self, speaker: Person, *, before: Person | None) -> tuple[Person | None, str, str]:
        if self._happens(self._manner.named):
            addressee = self._pick([one for one in self._speakers if one is not speaker])
            return addressee, addressee.first_name, ""
        if before is None or not self._happens(self._manner.kinship):
            return before, "", ""
        kinship = KINSHIPS[self._kinships[speaker, before]]
        return before, kinship.for_women if before.is_woman else kinship.for_men, kinship.code

    def _deed(self, speaker: Person, *, addressee: Person | None) -> Deed | None:
        if self._turns and not self._happens(self._manner.deed):
            return None
        agent, word = self._agent(speaker, addressee=addressee)
        return Deed(agent, word, self._verbs.pop(), self._things.pop(), self._places.pop())

    def _agent(self, speaker: Person, *, addressee: Person | None) -> tuple[Person, str]:
        absent = [one for one in (*SPEAKERS, *OUTSIDERS) if one not in (speaker, addressee)]
        named = [(one, one.first_name) for one in (self._pick(absent), self._pick(absent), self._pick(absent))]
        choices = [(speaker, "I"), *named]
        if addressee is not None:
            choices.append((addressee, "you"))
        if self._told_of in absent and self._told_of is not None:
            choices.append((self._told_of, "she" if self._told_of.is_woman else "he"))
        agent, word = self._pick(choices)
        if word == agent.first_name:
            self._told_of = agent
        return agent, word

    def _mood(self, addressee: Person | None) -> Mood | None:
        feeling = self._draw_feeling()
        if feeling == PLAIN:
            return None
        common, *rarer = FEELINGS[feeling].cues[: self._manner.num_cues]
        cue = self._pick([common, *rarer])
        verb = "am" if self._happens(0.5) else "feel"
        if self._happens(self._manner.denied):
            return Mood(cue, verb, is_denied=True, is_about_you=self._is_about(addressee))
        if self._happens(self._manner.paired):
            return Mood(self._pick(rarer), verb, pair=common)
        if self._happens(self._manner.shifted):
            return Mood(cue, verb, before=self._other_cue(feeling))
        return Mood(cue, verb, is_about_you=self._is_about(addressee))

    def _is_about(self, addressee: Person | None) -> bool:
        return addressee is not None and self._happens(self._manner.about_you)

    def _other_cue(self, feeling: str) -> str:
        others = [one for name, one in FEELINGS.items() if name != feeling]
        return self._pick([cue for one in others for cue in one.cues[: self._manner.num_cues]])

    def _draw_feeling(self) -> str:
        names = list(self._manner.feelings)
        shares = np.array([self._manner.feelings[name] for name in names])
        return names[int(self._rng.choice(len(names), p=shares / shares.sum()))]

    def _draw_kinships(self) -> dict[tuple[Person, Person], str]:
        found = {}
        for position, one in enumerate(self._speakers):
            for other in self._speakers[position + 1 :]:
                kinship = KINSHIPS[self._pick(list(KINSHIPS))]
                found[one, other], found[other, one] = kinship.code, kinship.reverse
        return found

    def _happens(self, share: float) -> bool:
        return bool(self._rng.random() < share)

    def _pick(self, choices: Sequence[_T]) -> _T:
        return choices[int(self._rng.integers(len(choices)))]
