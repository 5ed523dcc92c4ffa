"""Excerpts of releases, and the scenes into which they are merged: lines of several releases in one order."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rapidfuzz.distance import LCSseq

from dfwe.data.friends.words import Word, words_of
from dfwe.data.readers.base import RowReport

_PLACED = 0.5  # of a turn's words that the scene must have
_MAX_NAME_WORDS = 3
CODE = "@ent"  # how a release writes a name that it hides, with a number
CODES = re.compile(rf"{CODE}\d+")
HIDDEN = "Speaker "  # how another one writes a speaker whom it hides, with a number
ALL = "#ALL#"  # the speaker of what everybody says


@dataclass(frozen=True)
class Turn:
    """An utterance, or a stage direction without speakers."""

    speakers: tuple[str, ...]
    text: str


class Annotation(ABC):
    """An annotation of an excerpt's turns."""

    task: str

    @abstractmethod
    def write(self, scene: Scene, placement: Placement) -> Mapping[str, int]:
        """Write the annotation to the scene's lines; return the number of dropped instances by reason."""

    def within(self, start: int, stop: int) -> Annotation | None:
        """Return the annotation for an excerpt of the turns from `start` to before `stop`, None outside of them."""
        return None

    def __len__(self) -> int:
        """Return the number of instances of the task."""
        return 1


@dataclass(frozen=True)
class Excerpt:
    """A run of turns of one release, with its annotations."""

    release: str
    key: str  # the release's own name; the dialogue's id if no scene is found
    turns: tuple[Turn, ...]
    annotations: tuple[Annotation, ...] = ()
    scene_id: str | None = None  # sXX_eYY_cZZ if the release names it
    whole: bool = False  # the scene's turns are all there
    codes: frozenset[str] = frozenset()  # that hide the names of its entities
    divisible: bool = False  # each annotation concerns one turn, so that the excerpt may belong to several scenes

    def __post_init__(self) -> None:
        if not self.turns:
            raise ValueError("it has no turn")

    def part(self, start: int, stop: int) -> Excerpt:
        """Return the turns from `start` to before `stop` with their annotations, under a new key."""
        if (start, stop) == (0, len(self.turns)):
            return self
        annotations = [annotation.within(start, stop) for annotation in self.annotations]
        return replace(
            self,
            key=f"{self.key}_{start:02d}",
            turns=self.turns[start:stop],
            annotations=tuple(annotation for annotation in annotations if annotation is not None),
        )


@dataclass(frozen=True)
class Reading:
    """Excerpts of one release."""

    name: str
    excerpts: tuple[Excerpt, ...]
    report: RowReport
    missing: tuple[str, ...] = ()  # files that the release has and the folder lacks


@dataclass(eq=False)
class Line:
    """A turn of a scene with the annotations of tasks."""

    speakers: tuple[str, ...]
    text: str
    annotations: dict[str, Any] = field(default_factory=dict)
    words: tuple[Word, ...] = ()

    def __post_init__(self) -> None:
        self.words = words_of(self.text)


@dataclass(eq=False)
class Scene:
    """Lines in order, samples that concern all of them, and votes for hidden names."""

    scene_id: str
    lines: list[Line] = field(default_factory=list)
    samples: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    names: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))  # of a code: votes for names
    codes: set[str] = field(default_factory=set)  # that stand for somebody who speaks or is spoken of
    whole: bool = False  # its lines are complete


@dataclass(frozen=True)
class Placement:
    """Places of an excerpt's turns in a scene."""

    lines: tuple[Line | None, ...]  # of each turn
    words: dict[tuple[int, int], tuple[Line, Word]]  # of (turn, start of a word): the word of a line that it is
    num_words: int  # of the excerpt
    num_scene_words: int

    def agreeing(self) -> list[int]:
        """Count the agreeing words of each turn."""
        counts = Counter(number for number, _ in self.words)
        return [counts[number] for number in range(len(self.lines))]


def place(turns: Sequence[Turn], *, scene: Scene) -> Placement:
    """Match the excerpt's words to the scene's by their longest common subsequence.

    A turn of which at least half the words agree stands in the line that has most of them.
    """
    left = [(number, word) for number, turn in enumerate(turns) for word in words_of(turn.text)]
    right = [(line, word) for line in scene.lines for word in line.words]
    pairs = _common([word.key for _, word in left], [word.key for _, word in right])
    votes: list[Counter[Line]] = [Counter() for _ in turns]
    for i, j in pairs:
        votes[left[i][0]][right[j][0]] += 1
    lengths = Counter(number for number, _ in left)
    lines = tuple(
        max(vote, key=lambda line: vote[line], default=None) if vote.total() >= _PLACED * lengths[number] else None
        for number, vote in enumerate(votes)
    )
    words = {(left[i][0], left[i][1].start): right[j] for i, j in pairs}
    return Placement(lines, words, len(left), len(right))


def fold(excerpt: Excerpt, *, scene: Scene) -> Placement:
    """Merge an excerpt into the scene.

    The lines of a scene of which some release has the whole stay as they are; to another one, what is said in no line
    yet is added after the turn before. Stage directions are not: each release has its own.
    """
    turns = excerpt.turns
    if not scene.lines:
        scene.lines.extend(Line(turn.speakers, turn.text) for turn in turns)
        words = {(n, word.start): (line, word) for n, line in enumerate(scene.lines) for word in line.words}
        placement = Placement(tuple(scene.lines), words, len(words), len(words))
    else:
        placement = place(turns, scene=scene)
        learn_names(turns, placement=placement, scene=scene)
        placement = placement if scene.whole else _extended(turns, placement=placement, scene=scene)
    scene.whole |= excerpt.whole
    return placement


def _extended(turns: Sequence[Turn], *, placement: Placement, scene: Scene) -> Placement:
    lines, words = list(placement.lines), dict(placement.words)
    position = next((scene.lines.index(line) for line in lines if line is not None), len(scene.lines))
    for number, turn in enumerate(turns):
        line = lines[number]
        if line is None and turn.speakers and words_of(turn.text):
            line = lines[number] = Line(turn.speakers, turn.text)
            scene.lines.insert(position, line)
            words.update({(number, word.start): (line, word) for word in line.words})
        if line is not None:
            position = scene.lines.index(line) + 1
    return replace(placement, lines=tuple(lines), words=words)


def num_words(turns: Sequence[Turn]) -> int:
    """Count the words of the turns."""
    return sum(len(words_of(turn.text)) for turn in turns)


def learn_names(turns: Sequence[Turn], *, placement: Placement, scene: Scene) -> None:
    """Count names that stand where another release hides one: among speakers, and between agreeing words."""
    for turn, line in zip(turns, placement.lines, strict=True):
        if line is not None and len(turn.speakers) == len(line.speakers) == 1:
            # a speaker's tag is clean, a word in a gap may be off: two votes against one
            _learn(scene, turn.speakers[0], line.speakers[0], votes=2)
    for left, right in _gaps(turns, placement=placement, scene=scene):
        _learn(scene, left, right, votes=1)


def _learn(scene: Scene, left: str, right: str, *, votes: int) -> None:
    for code, name in ((left, right), (right, left)):
        is_name = (name[:1].isupper() or name == ALL) and not name.startswith(HIDDEN)
        if is_name and code.startswith(CODE) and " " not in code:
            scene.names[code][name] += votes


def _gaps(turns: Sequence[Turn], *, placement: Placement, scene: Scene) -> Iterable[tuple[str, str]]:
    """Yield the short texts between two words that agree on both sides, within one turn and one line."""
    for number, turn in enumerate(turns):
        line, words = placement.lines[number], words_of(turn.text)
        if line is None:
            continue
        index = {word.start: i for i, word in enumerate(line.words)}
        matched = [(i, placement.words.get((number, word.start))) for i, word in enumerate(words)]
        anchors = [(-1, -1)] + [(i, index[hit[1].start]) for i, hit in matched if hit and hit[0] is line]
        for (i, j), (k, m) in zip(anchors, [*anchors[1:], (len(words), len(line.words))], strict=True):
            left, right = words[i + 1 : k], line.words[j + 1 : m]
            if 0 < len(left) <= _MAX_NAME_WORDS and 0 < len(right) <= _MAX_NAME_WORDS:
                yield _text(turn.text, left), _text(line.text, right)


def _text(text: str, words: Sequence[Word]) -> str:
    return text[words[0].start : words[-1].end]


def _common(left: Sequence[str], right: Sequence[str]) -> list[tuple[int, int]]:
    blocks = LCSseq.editops(left, right).as_matching_blocks()
    return [(block.a + index, block.b + index) for block in blocks for index in range(block.size)]
