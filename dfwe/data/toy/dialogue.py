"""Scenes of the toy world: who says what, as text and as the meaning behind it.

A turn is at most one opener (a name or a kinship word), one statement (of a deed or a home), one filler and one mood.
Meaning:

- "you" and the person addressed: whom the opener names, else the speaker before, in a first turn nobody.
- "he", "she": the person whom the last deed before was told of by name.
- a filler: nothing.
- the mood: "I am X", "I feel X and Y", "You make me X" show X's feeling; "not" before X shows its opposite; in
  "I was X but now I am Y" only Y counts; who names no mood feels plain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dfwe.data.toy.lexicon import FEELING_OF, FEELINGS, PLAIN, Feeling, Person
from dfwe.values.allowed import Count, NonNegative, Share

Piece = tuple[str, Person | None]  # a stretch of text, and whom it means if anybody


@dataclass(frozen=True)
class Mention:
    """A stretch of an utterance that means a person."""

    start: int  # in characters
    text: str
    person: Person


@dataclass(frozen=True)
class Deed:
    """Somebody did something with a thing near a place."""

    agent: Person
    word: str  # how the utterance calls the agent: I, you, he, she, or the name
    verb: str
    thing: str
    place: str

    @property
    def is_named(self) -> bool:
        """Whether the utterance has the agent's name."""
        return self.word == self.agent.first_name

    def told_of(self, who: str) -> str:
        """The deed as a sentence in the utterance's voice, passive for names, but of `who`."""
        if self.is_named:
            return f"The {self.thing} was {self.verb} by {who} near the {self.place}."
        return f"{who} {self.verb} the {self.thing} near the {self.place}."


@dataclass(frozen=True)
class Mood:
    """What a speaker says of their own mood; `before` and `pair` are empty where the turn has none."""

    cue: str
    verb: str  # am or feel
    is_denied: bool = False
    is_about_you: bool = False
    before: str = ""
    pair: str = ""

    @property
    def feeling(self) -> Feeling:
        """What the speaker feels by the rules above."""
        shown = FEELING_OF[self.cue]
        return FEELINGS[shown.opposite] if self.is_denied else shown


@dataclass(frozen=True)
class Turn:
    """One turn of a scene; what it leaves out is empty."""

    speaker: Person
    addressee: Person | None
    opener: str = ""
    kinship: str = ""  # code of the kinship that the opener shows
    deed: Deed | None = None
    home: str = ""
    filler: str = ""
    mood: Mood | None = None

    @property
    def feeling(self) -> Feeling:
        """What the speaker feels."""
        return self.mood.feeling if self.mood else FEELINGS[PLAIN]

    @property
    def utterance(self) -> str:
        """What is said."""
        return "".join(text for text, _ in self._pieces())

    @property
    def mentions(self) -> tuple[Mention, ...]:
        """The people meant, in order."""
        found, start = [], 0
        for text, person in self._pieces():
            if person is not None:
                found.append(Mention(start, text=text, person=person))
            start += len(text)
        return tuple(found)

    def _pieces(self) -> list[Piece]:
        filler: list[Piece] = [(self.filler, None)] if self.filler else []
        pieces: list[Piece] = []
        for sentence in (self._statement(), filler, self._mood()):
            pieces += [(" ", None), *sentence] if pieces and sentence else sentence
        return [(self.opener, self.addressee), (", ", None), *_lowered(pieces)] if self.opener else pieces

    def _statement(self) -> list[Piece]:
        if self.deed is None:
            return [("I", self.speaker), (f" live in {self.home}.", None)] if self.home else []
        who = self.deed.word if self.deed.is_named else self.deed.word.capitalize()
        before, after = self.deed.told_of("|").split("|")
        return [piece for piece in ((before, None), (who, self.deed.agent), (after, None)) if piece[0]]

    def _mood(self) -> list[Piece]:
        if self.mood is None:
            return []
        if self.mood.is_about_you:
            make = " do not make " if self.mood.is_denied else " make "
            return [("You", self.addressee), (make, None), ("me", self.speaker), (f" {self.mood.cue}.", None)]
        start: list[Piece] = [("I", self.speaker)]
        if self.mood.before:
            start += [(f" was {self.mood.before} but now ", None), ("I", self.speaker)]
        return [*start, (f" {_feels(self.mood)}.", None)]


@dataclass(frozen=True)
class DialogueStyle:
    """How people talk: shares in [0, 1] and the range of the number of turns."""

    min_turns: Count
    max_turns: Count
    third_speaker: Share  # share of scenes with three speakers
    named: Share  # of turns that open with a name
    kinship: Share  # of turns without a name that open with a kinship word
    deed: Share  # of turns that tell a deed; a first turn always does
    home: Share  # of turns without a deed that tell where the speaker lives
    about_you: Share  # of moods that are due to the person addressed
    denied: Share  # of moods that are denied
    shifted: Share  # of moods that follow another
    paired: Share  # of moods shown by two words, the second of them the feeling's commonest
    num_cues: Count  # words that the text uses for each feeling, the first of the lexicon's
    feelings: Mapping[str, NonNegative]  # share of each feeling, before denial


def _lowered(pieces: list[Piece]) -> list[Piece]:
    text, person = pieces[0]
    is_capital_anywhere = text == "I" or (person is not None and text == person.first_name)
    return pieces if is_capital_anywhere else [(text[0].lower() + text[1:], person), *pieces[1:]]


def _feels(mood: Mood) -> str:
    if mood.is_denied:
        return f"am not {mood.cue}" if mood.verb == "am" else f"do not feel {mood.cue}"
    return f"{mood.verb} {mood.cue} and {mood.pair}" if mood.pair else f"{mood.verb} {mood.cue}"
