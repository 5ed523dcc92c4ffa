"""Search for the scene of an excerpt that does not name it, by common words."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dfwe.data.friends.excerpt import Excerpt, Turn
from dfwe.data.friends.scene import Placement, Scene, place
from dfwe.data.friends.words import words_of

_RUN = 4  # words in a row that two texts must share before they are compared
_COMMON = 8  # runs that more scenes have are ignored
_TRIED = 5  # scenes compared, those with the most runs in common
_SHARE = 0.7  # of a block's words that must agree, in order; real data: nearly all blocks have over 0.8 or under 0.5
MIN_WORDS = 12  # fewer words in common are no match
_INDIVISIBLE = 0.5  # of the shorter text's words that a block must have where the excerpt cannot be divided


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
    agreeing = placement.agreeing(len(excerpt.turns))
    lengths = [len(words_of(turn.text)) for turn in excerpt.turns]
    start, stop = _best_block([2 * a - n for a, n in zip(agreeing, lengths, strict=True)])
    num_words, num_all = sum(agreeing[start:stop]), sum(lengths[start:stop])
    if num_words < MIN_WORDS or num_words < _SHARE * num_all or not _holds(excerpt, placement, num_words):
        return None
    return Match(scene, start, stop, num_words)


def _holds(excerpt: Excerpt, placement: Placement, num_words: int) -> bool:
    shorter = min(placement.num_words, placement.num_scene_words)
    return excerpt.divisible or num_words >= _INDIVISIBLE * shorter


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
