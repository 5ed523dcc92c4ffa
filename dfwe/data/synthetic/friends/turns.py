"""Turns of a toy scene, as text and as the meaning behind it.

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

from dfwe.data.synthetic.friends.lexicon import EMOTION_OF, EMOTIONS, PLAIN, EmotionClass, Person
from dfwe.values.allowed import Count, NonNegative, Share

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
        emotion = EMOTION_OF[self.cue]
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


def _lowercased(spans: list[TextSpan]) -> list[TextSpan]:
    text, person = spans[0]
    is_always_capital = text == "I" or (person is not None and text == person.first_name)
    return spans if is_always_capital else [(text[0].lower() + text[1:], person), *spans[1:]]


def _predicate(statement: EmotionStatement) -> str:
    if statement.is_negated:
        return f"am not {statement.cue}" if statement.verb == "am" else f"do not feel {statement.cue}"
    second = f" and {statement.second_cue}" if statement.second_cue else ""
    return f"{statement.verb} {statement.cue}{second}"
