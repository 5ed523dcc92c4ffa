"""Merging of excerpts of all releases into scenes with all annotations.

The scene of an excerpt that does not name it is found by common words.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from dfwe.data.friends.scene import Excerpt, Reading, Scene, Turn, fold, num_words, place
from dfwe.data.friends.words import words_of

_RUN = 4  # words in a row that two texts must share before they are compared
_COMMON = 8  # runs that more scenes have are ignored
_TRIED = 5  # scenes compared, those with the most runs in common
_SHARE = 0.7  # of a block's words that must agree, in order; real data: nearly all blocks have over 0.8 or under 0.5
MIN_WORDS = 12  # fewer words in common are no match
_INDIVISIBLE = 0.5  # of the shorter text's words that a block must have where the excerpt cannot be divided


@dataclass
class Tally:
    """Number of annotations by task and of excerpts by release, by what became of them."""

    read: Counter[str] = field(default_factory=Counter)
    dropped: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    with_scene: Counter[str] = field(default_factory=Counter)  # the release names the scene
    matched: Counter[str] = field(default_factory=Counter)  # by text
    unmatched: Counter[str] = field(default_factory=Counter)


def build(readings: Sequence[Reading]) -> tuple[dict[str, Scene], Tally]:
    """Build the scenes by id, in the order of their ids, and count what became of the annotations.

    Releases come in the order of `readings`: the first that has a scene gives its lines. Excerpts that do not tell
    their scene come last, and those that match none become scenes of their own, which later excerpts may match.
    """
    scenes, tally = Scenes(), Tally()
    excerpts = [excerpt for reading in readings for excerpt in reading.excerpts]
    for excerpt in excerpts:
        if excerpt.scene_id is not None:
            tally.with_scene[excerpt.release] += 1
            _add(excerpt, scene=scenes.scene(excerpt.scene_id), tally=tally)
    for scene in scenes.by_id.values():
        scenes.index(scene)
    for excerpt in excerpts:
        if excerpt.scene_id is None:
            _locate(excerpt, scenes=scenes, tally=tally)
    return dict(sorted(scenes.by_id.items())), tally


def _locate(excerpt: Excerpt, *, scenes: Scenes, tally: Tally) -> None:
    """Add the excerpt to its scene, and search separately for the parts before and after the agreeing block."""
    match = scenes.find(excerpt)
    (tally.unmatched if match is None else tally.matched)[excerpt.release] += 1
    start, stop = (0, len(excerpt.turns)) if match is None else _cut(excerpt, match=match)
    scene = scenes.scene(excerpt.key) if match is None else match.scene
    _add(excerpt.part(start, stop), scene=scene, tally=tally)
    scenes.index(scene)
    for first, last in ((0, start), (stop, len(excerpt.turns))):
        if first < last:
            _locate(excerpt.part(first, last), scenes=scenes, tally=tally)


def _cut(excerpt: Excerpt, *, match: Match) -> tuple[int, int]:
    """Return the range of the block's turns, with neighbours that are too short to be found separately."""
    if not excerpt.divisible:
        return 0, len(excerpt.turns)
    before, after = (excerpt.turns[: match.start], excerpt.turns[match.stop :])
    return (
        match.start if num_words(before) >= MIN_WORDS else 0,
        match.stop if num_words(after) >= MIN_WORDS else len(excerpt.turns),
    )


def _add(excerpt: Excerpt, *, scene: Scene, tally: Tally) -> None:
    placement = fold(excerpt, scene=scene)
    scene.codes |= excerpt.codes
    for annotation in excerpt.annotations:
        tally.read[annotation.task] += len(annotation)
        tally.dropped[annotation.task].update(annotation.write(scene, placement))


@dataclass(frozen=True)
class Match:
    """A scene, and the block of an excerpt's turns, from `start` to before `stop`, that is in it."""

    scene: Scene
    start: int
    stop: int
    num_words: int  # of the block that agree


class Scenes:
    """Scenes by id, with an index of their runs of words."""

    def __init__(self) -> None:
        self.by_id: dict[str, Scene] = {}
        self._runs: dict[tuple[str, ...], set[str]] = defaultdict(set)

    def scene(self, scene_id: str) -> Scene:
        """Return the scene of that id, a new one if there is none yet."""
        return self.by_id.setdefault(scene_id, Scene(scene_id))

    def index(self, scene: Scene) -> None:
        """Add the scene's present lines to the index."""
        for line in scene.lines:
            for run in _runs(word.key for word in line.words):
                self._runs[run].add(scene.scene_id)

    def find(self, excerpt: Excerpt) -> Match | None:
        """Find the scene with most of the excerpt's words in one block of turns; None if no block is good enough."""
        matches = [_match(excerpt, scene=scene) for scene in self._similar(excerpt.turns)]
        return max((match for match in matches if match), key=lambda match: match.num_words, default=None)

    def _similar(self, turns: Sequence[Turn]) -> list[Scene]:
        votes: Counter[str] = Counter()
        for run in {run for turn in turns for run in _runs(word.key for word in words_of(turn.text))}:
            having = self._runs.get(run, set())
            if len(having) <= _COMMON:
                votes.update(having)
        best = sorted(votes.items(), key=lambda item: (-item[1], item[0]))[:_TRIED]
        return [self.by_id[scene_id] for scene_id, _ in best]


def _match(excerpt: Excerpt, *, scene: Scene) -> Match | None:
    placement = place(excerpt.turns, scene=scene)
    agreeing = placement.agreeing()
    lengths = [len(words_of(turn.text)) for turn in excerpt.turns]
    start, stop = _best_block([2 * a - n for a, n in zip(agreeing, lengths, strict=True)])
    num_agreeing = sum(agreeing[start:stop])
    shorter = min(placement.num_words, placement.num_scene_words)
    is_enough = excerpt.divisible or num_agreeing >= _INDIVISIBLE * shorter
    if num_agreeing < MIN_WORDS or num_agreeing < _SHARE * sum(lengths[start:stop]) or not is_enough:
        return None
    return Match(scene, start, stop, num_agreeing)


def _best_block(gains: Sequence[int]) -> tuple[int, int]:
    """Return the block of turns with the largest sum of agreeing minus disagreeing words."""
    best, block, running, start = 0, (0, 0), 0, 0
    for position, gain in enumerate(gains):
        if running <= 0:
            running, start = 0, position
        running += gain
        if running > best:
            best, block = running, (start, position + 1)
    return block


def _runs(words: Iterable[str]) -> Iterator[tuple[str, ...]]:
    keys = list(words)
    return (tuple(keys[i : i + _RUN]) for i in range(len(keys) - _RUN + 1))
