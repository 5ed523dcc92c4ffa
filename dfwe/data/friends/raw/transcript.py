"""Season files (Chen and Choi, 2016), and character identification (Zhou and Choi, 2018) in the same layout."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dfwe.data.friends.annotations import MentionAnnotation
from dfwe.data.friends.excerpt import Excerpt, Reading, Turn
from dfwe.data.friends.raw.files import convert, json_records, names_of, read_release, records, scene_id
from dfwe.data.readers.base import RowReport
from dfwe.io.files import read_text

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


def read_mentions(folder: Path) -> Reading:
    """Read the scenes of `character_identification/character-identification-*.json`."""
    return read_release(
        "character identification",
        folder=folder / "character_identification",
        files=[f"character-identification-{part}.json" for part in ("trn", "dev", "tst")],
        read=lambda path: scenes(path, read=_mention_scene),
    )


def _mention_scene(scene: Mapping[str, Any]) -> Excerpt:
    name, turns = scene_of(scene)
    annotations = [
        mention
        for number, utterance in enumerate(scene["utterances"])
        for mention in _mentions(utterance, turn=number, text=turns[number].text)
    ]
    return Excerpt(
        "character identification", f"characters_{name}", turns, tuple(annotations), scene_id=name, whole=True
    )


def _mentions(utterance: Mapping[str, Any], *, turn: int, text: str) -> Iterator[MentionAnnotation]:
    end = 0
    for tokens, entities in zip(utterance["tokens"], utterance["character_entities"], strict=True):
        spans = []
        for token in tokens:
            start = text.find(token, end)
            # a token that was changed in tokenising stands where the last one ended
            start, end = (end, end) if start < 0 else (start, start + len(token))
            spans.append((start, end))
        for first, last, *names in sorted(entities, key=lambda entity: (entity[0], entity[1])):
            begin, stop = spans[first][0], spans[last - 1][1]
            yield MentionAnnotation(turn, begin, text[begin:stop], str(names[0]))
