"""The season files' layout (Chen and Choi, 2016), shared by three releases: episodes, scenes, utterances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dfwe.data.bad_rows import Rows
from dfwe.data.friends.excerpt import Excerpt, Reading, Turn
from dfwe.data.friends.raw.files import convert, parse_json, present, read_text, scene_id

SEASONS = 10


def read(folder: Path) -> Reading:
    """The scenes of `character_mining/friends_season_*.json`: text alone, for scenes that no task has whole."""
    names = [f"friends_season_{season:02d}.json" for season in range(1, SEASONS + 1)]
    paths, missing = present(folder / "character_mining", names=names)
    excerpts: list[Excerpt] = []
    rows = Rows(0)
    for path in paths:
        scenes, part_rows = convert(numbered_scenes(path), path=path, read=_excerpt)
        excerpts += [scene for _, scene in scenes]
        rows += part_rows
    return Reading("season files", tuple(excerpts), rows, missing)


def numbered_scenes(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The scenes of a file, counted from 1."""
    episodes = parse_json(read_text(path), name=str(path))["episodes"]
    return enumerate((scene for episode in episodes for scene in episode["scenes"]), start=1)


def scene_of(scene: Mapping[str, Any]) -> tuple[str, tuple[Turn, ...]]:
    """A scene's id and its turns, one for each utterance; an utterance that is only a stage direction keeps it."""
    turns = tuple(
        Turn(tuple(u["speakers"]), " ".join((u["transcript"] or u.get("transcript_with_note") or "").split()))
        for u in scene["utterances"]
    )
    return scene_id(scene["scene_id"]), turns


def _excerpt(scene: Mapping[str, Any]) -> Excerpt:
    name, turns = scene_of(scene)
    return Excerpt(
        "season files", f"season_{name}", tuple(turn for turn in turns if turn.text), scene_id=name, whole=True
    )
