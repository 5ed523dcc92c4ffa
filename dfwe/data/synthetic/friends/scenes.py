"""A seeded writer of toy scenes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from dfwe.data.synthetic.drawing import choose, happens
from dfwe.data.synthetic.friends.lexicon import (
    AWAY_PLACES,
    CARELESS_VERBS,
    EMOTIONS,
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
from dfwe.data.synthetic.friends.turns import DialogueStyle, EmotionStatement, Event, SceneTurn


def write_scene(style: DialogueStyle, *, rng: np.random.Generator) -> tuple[SceneTurn, ...]:
    """Write a scene of two or three speakers who take turns, nobody twice in a row."""
    return _SceneWriter(style, rng=rng).scene()


class _SceneWriter:
    """State of a scene while it is written: kinships, and words that are not used yet."""

    def __init__(self, style: DialogueStyle, *, rng: np.random.Generator) -> None:
        self._style, self._rng = style, rng
        self._happens = partial(happens, rng=rng)
        num_speakers = 3 if self._happens(style.third_speaker) else 2
        self._speakers = [SPEAKERS[i] for i in rng.permutation(len(SPEAKERS))[:num_speakers]]
        self._verbs = self._shuffled((*TIDY_VERBS, *CARELESS_VERBS))
        self._things = self._shuffled(THINGS)
        self._places = self._shuffled((*HOME_PLACES, *AWAY_PLACES))
        self._towns = dict(zip(self._speakers, self._shuffled(TOWNS), strict=False))
        self._kinships = self._draw_kinships()
        self._last_named: Person | None = None  # by an event
        self._turns: list[SceneTurn] = []

    def scene(self) -> tuple[SceneTurn, ...]:
        num_turns = int(self._rng.integers(self._style.min_turns, self._style.max_turns + 1))
        while len(self._turns) < num_turns:
            self._turns.append(self._turn())
        return tuple(self._turns)

    def _turn(self) -> SceneTurn:
        previous = self._turns[-1].speaker if self._turns else None
        speaker = choose([person for person in self._speakers if person is not previous], rng=self._rng)
        addressee, opener, kinship = self._opener(speaker, previous=previous)
        event = self._event(speaker, addressee=addressee)
        has_residence = event is None and self._happens(self._style.residence)
        statement = self._emotion_statement(addressee)
        residence = self._towns[speaker] if has_residence else ""
        filler = "" if event or residence or statement else choose(FILLERS, rng=self._rng)
        return SceneTurn(speaker, addressee, opener, kinship, event, residence, filler, statement)

    def _opener(self, speaker: Person, *, previous: Person | None) -> tuple[Person | None, str, str]:
        if self._happens(self._style.name_opener):
            addressee = choose([person for person in self._speakers if person is not speaker], rng=self._rng)
            return addressee, addressee.first_name, ""
        if previous is None or not self._happens(self._style.kinship_opener):
            return previous, "", ""
        kinship = KINSHIPS[self._kinships[speaker, previous]]
        return previous, kinship.for_women if previous.is_woman else kinship.for_men, kinship.code

    def _event(self, speaker: Person, *, addressee: Person | None) -> Event | None:
        if self._turns and not self._happens(self._style.event):
            return None
        agent, reference = self._agent(speaker, addressee=addressee)
        return Event(agent, reference, self._verbs.pop(), self._things.pop(), self._places.pop())

    def _agent(self, speaker: Person, *, addressee: Person | None) -> tuple[Person, str]:
        absent = [person for person in (*SPEAKERS, *OUTSIDERS) if person not in (speaker, addressee)]
        named = [choose(absent, rng=self._rng) for _ in range(3)]
        options = [(speaker, "I"), *((person, person.first_name) for person in named)]
        if addressee is not None:
            options.append((addressee, "you"))
        if self._last_named is not None and self._last_named in absent:
            options.append((self._last_named, "she" if self._last_named.is_woman else "he"))
        agent, reference = choose(options, rng=self._rng)
        if reference == agent.first_name:
            self._last_named = agent
        return agent, reference

    def _emotion_statement(self, addressee: Person | None) -> EmotionStatement | None:
        emotion = self._draw_emotion()
        if emotion == PLAIN:
            return None
        common, *rarer = EMOTIONS[emotion].cues[: self._style.num_cues]
        cue = choose([common, *rarer], rng=self._rng)
        verb = "am" if self._happens(0.5) else "feel"
        if self._happens(self._style.negation):
            return EmotionStatement(cue, verb, is_negated=True, is_about_you=self._is_about(addressee))
        if self._happens(self._style.second_cue):
            return EmotionStatement(choose(rarer, rng=self._rng), verb, second_cue=common)
        if self._happens(self._style.earlier_cue):
            return EmotionStatement(cue, verb, earlier_cue=self._cue_of_another(emotion))
        return EmotionStatement(cue, verb, is_about_you=self._is_about(addressee))

    def _is_about(self, addressee: Person | None) -> bool:
        return addressee is not None and self._happens(self._style.about_you)

    def _cue_of_another(self, emotion: str) -> str:
        rest = [other for name, other in EMOTIONS.items() if name != emotion]
        return choose([cue for other in rest for cue in other.cues[: self._style.num_cues]], rng=self._rng)

    def _draw_emotion(self) -> str:
        names = list(self._style.emotions)
        weights = np.array([self._style.emotions[name] for name in names])
        return names[int(self._rng.choice(len(names), p=weights / weights.sum()))]

    def _draw_kinships(self) -> dict[tuple[Person, Person], str]:
        kinships = {}
        for position, first in enumerate(self._speakers):
            for second in self._speakers[position + 1 :]:
                kinship = KINSHIPS[choose(list(KINSHIPS), rng=self._rng)]
                kinships[first, second], kinships[second, first] = kinship.code, kinship.reverse
        return kinships

    def _shuffled(self, words: Sequence[str]) -> list[str]:
        return [str(word) for word in self._rng.permutation(words)]
