"""Annotations of the seven tasks, each of which writes itself to a scene."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dfwe.data.friends.scene import HIDDEN, Annotation, Line, Placement, Scene
from dfwe.data.friends.tasks import (
    ALTERNATE,
    CHARACTERS,
    MAIN,
    PERSONALITY,
    QUERIES,
    QUESTIONS,
    RELATIONS,
    UNANSWERABLE,
)
from dfwe.data.friends.words import words_of

NO_LINE = "its turn is in no line of the scene"
LABEL_EXISTS = "one label a line: another utterance stands in the same line"


@dataclass(frozen=True)
class EmotionAnnotation(Annotation):
    """Emotion of a turn."""

    task: str
    turn: int
    label: str
    last: bool = False  # of several utterances in one line the last label counts instead of the first

    def write(self, scene: Scene, placement: Placement) -> Mapping[str, int]:
        """Write the label to the turn's line, which has at most one."""
        line = placement.lines[self.turn]
        if line is None:
            return {NO_LINE: 1}
        has_label = self.task in line.annotations
        if self.last or not has_label:
            line.annotations[self.task] = {"label": self.label}
        return {LABEL_EXISTS: 1} if has_label else {}

    def within(self, start: int, stop: int) -> EmotionAnnotation | None:
        """Return the label if its turn is in the range."""
        return replace(self, turn=self.turn - start) if start <= self.turn < stop else None


@dataclass(frozen=True)
class MentionAnnotation(Annotation):
    """Person to whom some words of a turn refer; of several people the first, as in the benchmark."""

    turn: int
    start: int  # character in the turn's text
    text: str
    entity: str
    task: str = CHARACTERS

    def write(self, scene: Scene, placement: Placement) -> Mapping[str, int]:
        """Write the mention at the same word of the scene's line."""
        match = placement.words.get((self.turn, self.start))
        line, start = self._nearby(placement) if match is None else (match[0], match[1].start)
        if line is None:
            return {"its words are not in the scene's text": 1}
        label = self.entity.split()[0].lower() if self.entity in MAIN else "other"
        mention = {
            "entity": self.entity,
            "normalized_entity": label,
            "start": start,
            "entity_reference": line.text[start : self._end(line, start=start, placement=placement)],
        }
        line.annotations.setdefault(self.task, []).append(mention)
        return {}

    def _end(self, line: Line, *, start: int, placement: Placement) -> int:
        """Return the end of the mention in a line that spells it differently ("Tip - toe" for "Tip-toe")."""
        words = words_of(self.text)
        last = placement.words.get((self.turn, self.start + words[-1].start)) if words else None
        if line.text.startswith(self.text, start) or last is None or last[0] is not line:
            return start + len(self.text)
        return last[1].end

    def _nearby(self, placement: Placement) -> tuple[Line | None, int]:
        line = placement.lines[self.turn]
        start = -1 if line is None else line.text.find(self.text)
        return (None, 0) if start < 0 else (line, start)


@dataclass(frozen=True)
class QuestionAnswer:
    """Words of a turn, or its speaker's name, that answer a question."""

    turn: int
    text: str
    is_speaker: bool


@dataclass(frozen=True)
class QuestionAnnotation(Annotation):
    """A question about a scene and its answers, repeated ones too."""

    question_id: str
    text: str
    answers: tuple[QuestionAnswer, ...]
    task: str = QUESTIONS

    def write(self, scene: Scene, placement: Placement) -> Mapping[str, int]:
        """Write the question with the answers whose turns the scene has."""
        placed = [(placement.lines[answer.turn], answer) for answer in self.answers]
        answers = [(line, answer) for line, answer in placed if line is not None]
        if not answers:
            return {NO_LINE: 1}
        scene.samples[self.task].append((self, answers))
        return {}


@dataclass(frozen=True)
class PersonalityAnnotation(Annotation):
    """Five traits of a speaker, judged from some turns: five instances."""

    character: str
    traits: Mapping[str, str]
    task: str = PERSONALITY

    def __len__(self) -> int:
        return len(self.traits)

    def write(self, scene: Scene, placement: Placement) -> Mapping[str, int]:
        """Write the sample with the lines of its turns."""
        lines = _distinct(placement)
        if not lines:
            return {NO_LINE: len(self)}
        scene.samples[self.task].append((self, lines))
        return {}


@dataclass(frozen=True)
class RelationPair:
    """Two names, and the codes of the relations between them."""

    head: str
    tail: str
    relations: tuple[str, ...]


@dataclass(frozen=True)
class RelationAnnotation(Annotation):
    """Pairs of names in some turns, one instance per pair."""

    pairs: tuple[RelationPair, ...]
    speakers: tuple[str, ...]  # of each turn, as the release hides them
    task: str = RELATIONS

    def __len__(self) -> int:
        return len(self.pairs)

    def write(self, scene: Scene, placement: Placement) -> Mapping[str, int]:
        """Write the pairs with the names that the scene's lines give to hidden speakers."""
        lines = _distinct(placement)
        if not lines:
            return {NO_LINE: len(self)}
        opening = scene.lines[0]
        if not opening.speakers and scene.lines[1:2] == lines[:1]:  # where the scene is, as in the benchmark
            lines.insert(0, opening)
        pairs = _resolved(self.pairs, speakers=self._names(placement))
        if pairs:
            scene.samples[self.task].append((pairs, lines))
        dropped = len(self.pairs) - len(pairs)
        return {"alternate names of one person, or a pair named twice": dropped} if dropped else {}

    def _names(self, placement: Placement) -> dict[str, str]:
        votes: dict[str, Counter[str]] = {}
        for speaker, line in zip(self.speakers, placement.lines, strict=True):
            if line is not None and len(line.speakers) == 1 and not line.speakers[0].startswith(("#", "@", HIDDEN)):
                votes.setdefault(speaker, Counter())[line.speakers[0]] += 1
        return {speaker: vote.most_common(1)[0][0] for speaker, vote in votes.items()}


@dataclass(frozen=True)
class QueryAnnotation(Annotation):
    """A sentence about the scene with a gap, names as codes."""

    text: str
    answer: str  # a code
    task: str = QUERIES

    def write(self, scene: Scene, placement: Placement) -> Mapping[str, int]:
        """Write the query unchanged; names are put in after all releases are read."""
        scene.samples[self.task].append(self)
        return {}


def _distinct(placement: Placement) -> list[Line]:
    return list(dict.fromkeys(line for line in placement.lines if line is not None))


def _resolved(pairs: Sequence[RelationPair], *, speakers: Mapping[str, str]) -> tuple[RelationPair, ...]:
    """Return the pairs with names for hidden speakers, without pairs that only name one person twice.

    As the benchmark: other names stay as the release has them. A speaker whom no scene tells is called by an alternate
    name that the release gives.
    """
    names = {pair.head: pair.tail for pair in reversed(pairs) if ALTERNATE in pair.relations} | dict(speakers)
    merged: dict[tuple[str, str], dict[str, None]] = {}
    for pair in pairs:
        head, tail = (names.get(n, n) if n.startswith(HIDDEN) else n for n in (pair.head, pair.tail))
        if ALTERNATE not in pair.relations and head != tail:
            merged.setdefault((head, tail), {}).update(dict.fromkeys(pair.relations))
    return tuple(RelationPair(*both, _answerable(tuple(codes))) for both, codes in merged.items())


def _answerable(codes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(code for code in codes if code != UNANSWERABLE) or codes
