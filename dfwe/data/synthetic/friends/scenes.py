"""A seeded writer of toy scenes: their turns, as text and as the meaning behind it.

A turn has at most one opener (a name or a kinship word), one statement (of an event or a residence), one filler and one
statement of an emotion. Meaning:

- "you" and the person addressed: the person in the opener, else the previous speaker; nobody in a first turn.
- "he", "she": the person whom the previous event named.
- a filler: nothing.
- "I am X", "I feel X and Y", "You make me X" show X's emotion, and its opposite after "not". In "I was X but now I am
  Y" only Y counts. Speakers who name no emotion have the plain one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dfwe.data.synthetic.drawing import Draws
from dfwe.data.synthetic.friends import lexicon
from dfwe.data.synthetic.friends.lexicon import EMOTIONS, KINSHIPS, PLAIN, SPEAKERS, EmotionClass, Person
from dfwe.values.allowed import Count, NonNegative, Share


@dataclass(frozen=True)
class DialogueStyle:
    """Probabilities of what speakers say, and the number of turns."""

    min_turns: Count
    max_turns: Count
    third_speaker: Share  # that a scene has three speakers
    name_opener: Share  # that a turn opens with a name
    kinship_opener: Share  # that a turn without a name opens with a kinship word
    event: Share  # that a turn states an event; a first turn always does
    residence: Share  # that a turn without an event states a residence
    about_you: Share  # that an emotion is due to the person addressed
    negation: Share  # that an emotion is negated
    earlier_cue: Share  # that another emotion precedes it
    second_cue: Share  # that two words show it, the second its most common one
    num_cues: Count  # words in use per emotion, the first of the lexicon
    emotions: Mapping[str, NonNegative]  # weight of each emotion, before negation


def write_scene(style: DialogueStyle, *, rng: np.random.Generator) -> tuple[SceneTurn, ...]:
    """Write a scene of two or three speakers who take turns, nobody twice in a row."""
    return _SceneWriter(style, draws=Draws(rng)).scene()


class _SceneWriter:
    """State of a scene while it is written: kinships, and words that are not used yet."""

    def __init__(self, style: DialogueStyle, *, draws: Draws) -> None:
        self._style, self._draws = style, draws
        num_speakers = 3 if draws.happens(style.third_speaker) else 2
        self._speakers = draws.shuffle(SPEAKERS)[:num_speakers]
        self._verbs = draws.shuffle((*lexicon.TIDY_VERBS, *lexicon.CARELESS_VERBS))
        self._things = draws.shuffle(lexicon.THINGS)
        self._places = draws.shuffle((*lexicon.HOME_PLACES, *lexicon.AWAY_PLACES))
        self._towns = dict(zip(self._speakers, draws.shuffle(lexicon.TOWNS), strict=False))
        self._kinships = self._draw_kinships()
        self._last_named: Person | None = None  # by an event
        self._turns: list[SceneTurn] = []

    def scene(self) -> tuple[SceneTurn, ...]:
        num_turns = int(self._draws.rng.integers(self._style.min_turns, self._style.max_turns + 1))
        while len(self._turns) < num_turns:
            self._turns.append(self._turn())
        return tuple(self._turns)

    def _turn(self) -> SceneTurn:
        previous = self._turns[-1].speaker if self._turns else None
        speaker = self._draws.choose([person for person in self._speakers if person is not previous])
        addressee, opener, kinship = self._opener(speaker, previous=previous)
        event = self._event(speaker, addressee=addressee)
        has_residence = event is None and self._draws.happens(self._style.residence)
        statement = self._emotion_statement(addressee)
        residence = self._towns[speaker] if has_residence else ""
        filler = "" if event or residence or statement else self._draws.choose(lexicon.FILLERS)
        return SceneTurn(speaker, addressee, opener, kinship, event, residence, filler, statement)

    def _opener(self, speaker: Person, *, previous: Person | None) -> tuple[Person | None, str, str]:
        if self._draws.happens(self._style.name_opener):
            addressee = self._draws.choose([person for person in self._speakers if person is not speaker])
            return addressee, addressee.first_name, ""
        if previous is None or not self._draws.happens(self._style.kinship_opener):
            return previous, "", ""
        kinship = KINSHIPS[self._kinships[speaker, previous]]
        return previous, kinship.for_women if previous.is_woman else kinship.for_men, kinship.code

    def _event(self, speaker: Person, *, addressee: Person | None) -> Event | None:
        if self._turns and not self._draws.happens(self._style.event):
            return None
        agent, reference = self._agent(speaker, addressee=addressee)
        return Event(agent, reference, self._verbs.pop(), self._things.pop(), self._places.pop())

    def _agent(self, speaker: Person, *, addressee: Person | None) -> tuple[Person, str]:
        absent = [person for person in (*SPEAKERS, *lexicon.OUTSIDERS) if person not in (speaker, addressee)]
        named = [self._draws.choose(absent) for _ in range(3)]
        options = [(speaker, "I"), *((person, person.first_name) for person in named)]
        if addressee is not None:
            options.append((addressee, "you"))
        if self._last_named is not None and self._last_named in absent:
            options.append((self._last_named, "she" if self._last_named.is_woman else "he"))
        agent, reference = self._draws.choose(options)
        if reference == agent.first_name:
            self._last_named = agent
        return agent, reference

    def _emotion_statement(self, addressee: Person | None) -> EmotionStatement | None:
        emotion = self._draw_emotion()
        if emotion == PLAIN:
            return None
        common, *rarer = EMOTIONS[emotion].cues[: self._style.num_cues]
        cue = self._draws.choose([common, *rarer])
        verb = "am" if self._draws.happens(0.5) else "feel"
        if self._draws.happens(self._style.negation):
            return EmotionStatement(cue, verb, is_negated=True, is_about_you=self._is_about(addressee))
        if self._draws.happens(self._style.second_cue):
            return EmotionStatement(self._draws.choose(rarer), verb, second_cue=common)
        if self._draws.happens(self._style.earlier_cue):
            return EmotionStatement(cue, verb, earlier_cue=self._cue_of_another(emotion))
        return EmotionStatement(cue, verb, is_about_you=self._is_about(addressee))

    def _is_about(self, addressee: Person | None) -> bool:
        return addressee is not None and self._draws.happens(self._style.about_you)

    def _cue_of_another(self, emotion: str) -> str:
        rest = [other for name, other in EMOTIONS.items() if name != emotion]
        return self._draws.choose([cue for other in rest for cue in other.cues[: self._style.num_cues]])

    def _draw_emotion(self) -> str:
        names = list(self._style.emotions)
        weights = np.array([self._style.emotions[name] for name in names])
        return names[int(self._draws.rng.choice(len(names), p=weights / weights.sum()))]

    def _draw_kinships(self) -> dict[tuple[Person, Person], str]:
        kinships = {}
        for position, first in enumerate(self._speakers):
            for second in self._speakers[position + 1 :]:
                kinship = KINSHIPS[self._draws.choose(list(KINSHIPS))]
                kinships[first, second], kinships[second, first] = kinship.code, kinship.reverse
        return kinships


TextSpan = tuple[str, Person | None]  # a stretch of text, and the person it refers to


@dataclass(frozen=True)
class Mention:
    """A stretch of an utterance that refers to a person."""

    start: int  # in characters
    text: str
    person: Person


@dataclass(frozen=True)
class Event:
    """Somebody did something with a thing near a place."""

    agent: Person
    reference: str  # to the agent in the utterance: I, you, he, she, or the name
    verb: str
    thing: str
    place: str

    @property
    def is_named(self) -> bool:
        """True if the utterance contains the agent's name."""
        return self.reference == self.agent.first_name

    def sentence(self, agent: str) -> str:
        """Return the event as a sentence with this word for the agent, passive if the utterance names the agent."""
        if self.is_named:
            return f"The {self.thing} was {self.verb} by {agent} near the {self.place}."
        return f"{agent} {self.verb} the {self.thing} near the {self.place}."


@dataclass(frozen=True)
class EmotionStatement:
    """Words of a speaker about their own emotion."""

    cue: str
    verb: str  # am or feel
    is_negated: bool = False
    is_about_you: bool = False
    earlier_cue: str = ""
    second_cue: str = ""

    @property
    def emotion(self) -> EmotionClass:
        """Emotion of the speaker by the rules above."""
        emotion = lexicon.EMOTION_OF[self.cue]
        return EMOTIONS[emotion.opposite] if self.is_negated else emotion


@dataclass(frozen=True)
class SceneTurn:
    """A turn of a scene; parts that it lacks are empty."""

    speaker: Person
    addressee: Person | None
    opener: str = ""
    kinship: str = ""  # code of the kinship that the opener shows
    event: Event | None = None
    residence: str = ""
    filler: str = ""
    statement: EmotionStatement | None = None

    @property
    def emotion(self) -> EmotionClass:
        """Emotion of the speaker."""
        return self.statement.emotion if self.statement else EMOTIONS[PLAIN]

    @property
    def utterance(self) -> str:
        """Text of the turn."""
        return "".join(text for text, _ in self._spans())

    @property
    def mentions(self) -> tuple[Mention, ...]:
        """References to people, in order."""
        mentions, start = [], 0
        for text, person in self._spans():
            if person is not None:
                mentions.append(Mention(start, text=text, person=person))
            start += len(text)
        return tuple(mentions)

    def _spans(self) -> list[TextSpan]:
        filler: list[TextSpan] = [(self.filler, None)] if self.filler else []
        spans: list[TextSpan] = []
        for sentence in (self._fact(), filler, self._feeling()):
            spans += [(" ", None), *sentence] if spans and sentence else sentence
        return [(self.opener, self.addressee), (", ", None), *_lowercased(spans)] if self.opener else spans

    def _fact(self) -> list[TextSpan]:
        if self.event is None:
            return [("I", self.speaker), (f" live in {self.residence}.", None)] if self.residence else []
        agent = self.event.reference if self.event.is_named else self.event.reference.capitalize()
        before, after = self.event.sentence("|").split("|")
        return [span for span in ((before, None), (agent, self.event.agent), (after, None)) if span[0]]

    def _feeling(self) -> list[TextSpan]:
        statement = self.statement
        if statement is None:
            return []
        if statement.is_about_you:
            make = " do not make " if statement.is_negated else " make "
            return [("You", self.addressee), (make, None), ("me", self.speaker), (f" {statement.cue}.", None)]
        start: list[TextSpan] = [("I", self.speaker)]
        if statement.earlier_cue:
            start += [(f" was {statement.earlier_cue} but now ", None), ("I", self.speaker)]
        return [*start, (f" {_predicate(statement)}.", None)]


def _lowercased(spans: list[TextSpan]) -> list[TextSpan]:
    text, person = spans[0]
    is_always_capital = text == "I" or (person is not None and text == person.first_name)
    return spans if is_always_capital else [(text[0].lower() + text[1:], person), *spans[1:]]


def _predicate(statement: EmotionStatement) -> str:
    if statement.is_negated:
        return f"am not {statement.cue}" if statement.verb == "am" else f"do not feel {statement.cue}"
    second = f" and {statement.second_cue}" if statement.second_cue else ""
    return f"{statement.verb} {statement.cue}{second}"
