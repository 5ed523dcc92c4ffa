"""Merging of excerpts of all releases into scenes with all annotations."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from dfwe.data.friends.excerpt import Excerpt, Reading
from dfwe.data.friends.locate import MIN_WORDS, Match, Scenes
from dfwe.data.friends.scene import Scene, fold, num_words


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
