"""The annotations of the seven tasks, and how each is put on a scene."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dfwe.data.friends.excerpt import Mark
from dfwe.data.friends.official import CHARACTERS, PERSONALITY, QUERIES, QUESTIONS, RELATIONS
from dfwe.data.friends.scene import HIDDEN, Line, Placement, Scene
from dfwe.data.friends.words import words_of

MAIN = ("Chandler Bing", "Joey Tribbiani", "Monica Geller", "Phoebe Buffay", "Rachel Green", "Ross Geller")
TRAITS = ("aggreeable", "conscientious", "extroverted", "open", "neurotic")  # the first spelt as the benchmark does

ALTERNATE, UNANSWERABLE = "per:alternate_names", "unanswerable"

NO_LINE = "its turn is in no line of the scene"
TAKEN = "one label a line: another utterance stands in the same line"


@dataclass(frozen=True)
class Emotion(Mark):
    """The emotion of one turn."""

    task: str
    turn: int
    label: str
    last: bool = False  # of several utterances in one line the last one's label counts, not the first one's

    def write(self, scene: Scene, placement: Placement) -> Mapping[str, int]:
        """The label of the line that the turn stands in; a line has one."""
        line = placement.lines[self.turn]
        if line is None:
            return {NO_LINE: 1}
        taken = self.task in line.annotations
        if self.last or not taken:
            line.annotations[self.task] = {"label": self.label}
        return {TAKEN: 1} if taken else {}

    def within(self, start: int, stop: int) -> Emotion | None:
        """The label where its turn is among those."""
        return replace(self, turn=self.turn - start) if start <= self.turn < stop else None


@dataclass(frozen=True)
class Mention(Mark):
    """Whom some words of a turn refer to; of several people, the benchmark takes the first."""

    turn: int
    start: int  # character in the turn's text
    text: str
    entity: str
    task: str = CHARACTERS

    def write(self, scene: Scene, placement: Placement) -> Mapping[str, int]:
        """The mention at the same word of the scene's line."""
        found = placement.words.get((self.turn, self.start))
        line, start = self._nearby(placement) if found is None else (found[0], found[1].start)
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
        """Where the line has the mention's last word, if it writes it otherwise ("Tip - toe" for "Tip-toe")."""
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
class Answer:
    """Words of a turn, or its speaker's name, that answer a question."""

    turn: int
    text: str
    is_speaker: bool


@dataclass(frozen=True)
class Question(Mark):
    """A question about a scene and its answers, repeated ones too."""

    question_id: str
    text: str
    answers: tuple[Answer, ...]
    task: str = QUESTIONS

    def write(self, scene: Scene, placement: Placement) -> Mapping[str, int]:
        """The question with the answers whose turns the scene has."""
        placed = [(placement.lines[answer.turn], answer) for answer in self.answers]
        answers = [(line, answer) for line, answer in placed if line is not None]
        if not answers:
            return {NO_LINE: 1}
        scene.samples[self.task].append((self, answers))
        return {}


@dataclass(frozen=True)
class Personality(Mark):
    """Five traits of a speaker, judged from some turns: five instances."""

    character: str
    traits: Mapping[str, str]
    task: str = PERSONALITY

    def __len__(self) -> int:
        return len(self.traits)

    def write(self, scene: Scene, placement: Placement) -> Mapping[str, int]:
        """The sample with the lines that its turns stand in."""
        lines = _distinct(placement)
        if not lines:
            return {NO_LINE: len(self)}
        scene.samples[self.task].append((self, lines))
        return {}


@dataclass(frozen=True)
class Pair:
    """Two names, and the codes of the relations between them."""

    head: str
    tail: str
    relations: tuple[str, ...]


@dataclass(frozen=True)
class Relations(Mark):
    """Pairs of names in some turns; an instance each."""

    pairs: tuple[Pair, ...]
    speakers: tuple[str, ...]  # of each turn, as the release hides them
    task: str = RELATIONS

    def __len__(self) -> int:
        return len(self.pairs)

    def write(self, scene: Scene, placement: Placement) -> Mapping[str, int]:
        """The pairs under the names that the scene's lines give to hidden speakers."""
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
class Query(Mark):
    """A sentence about the scene with a gap, names as codes."""

    text: str
    answer: str  # a code
    task: str = QUERIES

    def write(self, scene: Scene, placement: Placement) -> Mapping[str, int]:
        """The query as it is; names are put in when all releases are there."""
        scene.samples[self.task].append(self)
        return {}


def _distinct(placement: Placement) -> list[Line]:
    return list(dict.fromkeys(line for line in placement.lines if line is not None))


def _resolved(pairs: Sequence[Pair], *, speakers: Mapping[str, str]) -> tuple[Pair, ...]:
    """The pairs with speakers under their names; pairs that only say that two names are one person's go.

    As the benchmark: other names stay as the release has them. A speaker whom no scene tells is called by an alternate
    name that the release gives.
    """
    names = {pair.head: pair.tail for pair in reversed(pairs) if ALTERNATE in pair.relations} | dict(speakers)
    merged: dict[tuple[str, str], dict[str, None]] = {}
    for pair in pairs:
        head, tail = (names.get(n, n) if n.startswith(HIDDEN) else n for n in (pair.head, pair.tail))
        if ALTERNATE not in pair.relations and head != tail:
            merged.setdefault((head, tail), {}).update(dict.fromkeys(pair.relations))
    return tuple(Pair(*both, _told(tuple(codes))) for both, codes in merged.items())


def _told(codes: tuple[str, ...]) -> tuple[str, ...]:
    told = tuple(code for code in codes if code != UNANSWERABLE)
    return told or codes
