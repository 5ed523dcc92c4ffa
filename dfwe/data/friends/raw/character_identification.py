"""Character identification (Zhou and Choi, 2018): whom every mention in a scene refers to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dfwe.data.friends.annotations import MentionAnnotation
from dfwe.data.friends.excerpt import Excerpt, Reading
from dfwe.data.friends.raw.files import read_release
from dfwe.data.friends.raw.transcript import scene_of, scenes


def read(folder: Path) -> Reading:
    """Read the scenes of `character_identification/character-identification-*.json`."""
    return read_release(
        "character identification",
        folder=folder / "character_identification",
        files=[f"character-identification-{part}.json" for part in ("trn", "dev", "tst")],
        read=lambda path: scenes(path, read=_scene),
    )


def _scene(scene: Mapping[str, Any]) -> Excerpt:
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
