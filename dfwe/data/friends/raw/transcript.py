"""The season files' layout (Chen and Choi, 2016), shared by three releases: episodes, scenes, utterances."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dfwe.data.friends.excerpt import Excerpt, Reading, Turn
from dfwe.data.friends.raw.files import convert, json_records, names_of, read_release, records, scene_id
from dfwe.data.readers.base import RowReport
from dfwe.io.text_files import read_text

SEASONS = 10


def read(folder: Path) -> Reading:
    """Read the scenes of `character_mining/friends_season_*.json`: text only, for scenes that no task has whole."""
    files = [f"friends_season_{season:02d}.json" for season in range(1, SEASONS + 1)]
    return read_release(
        "season files",
        folder=folder / "character_mining",
        files=files,
        read=lambda path: scenes(path, read=_excerpt),
    )


def scenes(path: Path, *, read: Callable[[Mapping[str, Any]], Excerpt]) -> tuple[list[Excerpt], RowReport]:
    """Read the scenes of a file with `read`; they are counted from 1."""
    episodes = json_records(read_text(path), name=str(path), key="episodes")
    numbered = [
        scene
        for number, episode in enumerate(episodes, start=1)
        for scene in records(episode, name=f"{path}: episode number {number}", key="scenes")
    ]
    return convert(enumerate(numbered, start=1), path=path, read=read)


def scene_of(scene: Mapping[str, Any]) -> tuple[str, tuple[Turn, ...]]:
    """Return a scene's id and its turns, one per utterance, stage directions included."""
    turns = tuple(
        Turn(names_of(u["speakers"]), " ".join((u["transcript"] or u.get("transcript_with_note") or "").split()))
        for u in scene["utterances"]
    )
    return scene_id(scene["scene_id"]), turns


def _excerpt(scene: Mapping[str, Any]) -> Excerpt:
    name, turns = scene_of(scene)
    return Excerpt(
        "season files", f"season_{name}", tuple(turn for turn in turns if turn.text), scene_id=name, whole=True
    )
