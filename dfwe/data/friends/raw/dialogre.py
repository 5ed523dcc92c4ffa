"""DialogRE, version 1 (Yu et al., 2020): relations between two names in a piece of dialogue with hidden speakers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dfwe.data.friends.annotations import RelationAnnotation, RelationPair
from dfwe.data.friends.excerpt import Excerpt, Reading, Turn
from dfwe.data.friends.raw.files import convert, json_records, label_of, names_of, read_release, text_of
from dfwe.data.readers.base import RowReport
from dfwe.io.files import read_text

# the relations that version 1 names
CODES = (
    *(f"per:{name}" for name in ("positive_impression", "negative_impression", "acquaintance", "alumni", "boss")),
    *(f"per:{name}" for name in ("subordinate", "client", "dates", "friends", "girl/boyfriend", "neighbor")),
    *(f"per:{name}" for name in ("roommate", "children", "other_family", "parents", "siblings", "spouse")),
    *(f"per:{name}" for name in ("place_of_residence", "place_of_birth", "visited_place", "origin")),
    *(f"per:{name}" for name in ("employee_or_member_of", "schools_attended", "works", "age", "date_of_birth")),
    *(f"per:{name}" for name in ("major", "place_of_work", "title", "alternate_names", "pet")),
    *(f"gpe:{name}" for name in ("residents_of_place", "visitors_of_place", "births_in_place")),
    "org:employees_or_members",
    "org:students",
    "unanswerable",
)
_SPEAKERS = re.compile(r"(?P<names>Speaker \d+(?:, ?Speaker \d+)*): ?(?P<text>.*)", re.DOTALL)
_FILES = ("train.json", "dev.json", "test.json")


def read(folder: Path) -> Reading:
    """Read the dialogues of `dialogre/{train,dev,test}.json`."""
    return read_release("DialogRE", folder=folder / "dialogre", files=_FILES, read=_file)


def _file(path: Path) -> tuple[list[Excerpt], RowReport]:
    numbered = enumerate(json_records(read_text(path), name=str(path)), start=1)
    keyed = ((number, (f"dialogre_{path.stem}_{number:04d}", record)) for number, record in numbered)
    return convert(keyed, path=path, read=lambda both: _dialogue(*both))


def _dialogue(key: str, record: Any) -> Excerpt:
    lines, pairs = record
    turns = tuple(_turn(line) for line in lines)
    annotation = RelationAnnotation(
        pairs=tuple(_pair(pair) for pair in pairs),
        speakers=tuple(turn.speakers[0] if turn.speakers else "" for turn in turns),
    )
    return Excerpt("DialogRE", key, turns, (annotation,))


def _pair(pair: Mapping[str, Any]) -> RelationPair:
    codes = names_of(pair["r"])
    if not (pair["x"] and pair["y"] and codes):
        raise ValueError(f"a pair lacks a name or a relation: '{pair['x']}', '{pair['y']}', {list(codes)}")
    for code in codes:
        label_of(code, labels=CODES)
    return RelationPair(text_of(pair["x"]), text_of(pair["y"]), codes)


def _turn(line: str) -> Turn:
    match = _SPEAKERS.fullmatch(line)
    if match is None:
        return Turn((), line.strip())
    return Turn(tuple(re.split(r", ?", match["names"])), match["text"].strip())
