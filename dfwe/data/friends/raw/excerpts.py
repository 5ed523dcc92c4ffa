"""DialogRE and the personality samples: annotated pieces of dialogues.

DialogRE, version 1 (Yu et al., 2020): relations between two names, speakers hidden. Personality (Jiang et al., 2020): a
speaker's five traits, judged from part of a scene, which is given as HTML.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from typing import Any

from dfwe.data.friends.annotations import PersonalityAnnotation, RelationAnnotation, RelationPair
from dfwe.data.friends.raw.files import (
    convert,
    json_records,
    label_of,
    names_of,
    read_release,
    scene_id,
    table,
    text_of,
)
from dfwe.data.friends.scene import Excerpt, Reading, Turn
from dfwe.data.friends.tasks import RELATION_CODES, TRAITS
from dfwe.data.friends.words import without_notes
from dfwe.data.readers.base import RowReport
from dfwe.io.files import read_text

_SPEAKERS = re.compile(r"(?P<names>Speaker \d+(?:, ?Speaker \d+)*): ?(?P<text>.*)", re.DOTALL)
_COLUMNS = ("cAGR", "cCON", "cEXT", "cOPN", "cNEU")  # in the order of TRAITS
_HTML_TURN = re.compile(r"<b>(?P<speaker>[^<]*)</b>:(?P<text>.*)", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")


def read_dialogre(folder: Path) -> Reading:
    """Read the dialogues of `dialogre/{train,dev,test}.json`."""
    files = ("train.json", "dev.json", "test.json")
    return read_release("DialogRE", folder=folder / "dialogre", files=files, read=_dialogre_file)


def _dialogre_file(path: Path) -> tuple[list[Excerpt], RowReport]:
    numbered = enumerate(json_records(read_text(path), name=str(path)), start=1)
    keyed = ((number, (f"dialogre_{path.stem}_{number:04d}", record)) for number, record in numbered)
    return convert(keyed, path=path, read=lambda both: _dialogue(*both))


def _dialogue(key: str, record: Any) -> Excerpt:
    lines, pairs = record
    turns = tuple(_turn(line) for line in lines)
    speakers = tuple(turn.speakers[0] if turn.speakers else "" for turn in turns)
    annotation = RelationAnnotation(tuple(_pair(pair) for pair in pairs), speakers)
    return Excerpt("DialogRE", key, turns, (annotation,))


def _pair(pair: Mapping[str, Any]) -> RelationPair:
    codes = names_of(pair["r"])
    if not (pair["x"] and pair["y"] and codes):
        raise ValueError(f"a pair lacks a name or a relation: '{pair['x']}', '{pair['y']}', {list(codes)}")
    for code in codes:
        label_of(code, labels=RELATION_CODES)
    return RelationPair(text_of(pair["x"]), text_of(pair["y"]), codes)


def _turn(line: str) -> Turn:
    match = _SPEAKERS.fullmatch(line)
    if match is None:
        return Turn((), line.strip())
    return Turn(tuple(re.split(r", ?", match["names"])), match["text"].strip())


def read_personality(folder: Path) -> Reading:
    """Read the samples of `personality/friends-personality.csv`."""
    files = ("friends-personality.csv",)
    return read_release("personality", folder=folder / "personality", files=files, read=_personality_file)


def _personality_file(path: Path) -> tuple[list[Excerpt], RowReport]:
    columns = ("scene_id", "text", "character", *_COLUMNS)
    return table(path, columns=columns, read=lambda _, row: _sample(row))


def _sample(row: Mapping[str, str]) -> Excerpt:
    traits = {trait: row[column] for trait, column in zip(TRAITS, _COLUMNS, strict=True)}
    wrong = [value for value in traits.values() if value not in ("0", "1")]
    if wrong:
        raise ValueError(f"a trait is '{wrong[0]}', expected 0 or 1")
    turns = _html_turns(row["text"])
    name = scene_id("s" + row["scene_id"])
    annotation = PersonalityAnnotation(row["character"], traits)
    return Excerpt("personality", f"personality_{name}", turns, (annotation,), scene_id=name)


def _html_turns(html: str) -> tuple[Turn, ...]:
    """Parse utterances and stage directions, without the heading, which is bold as a whole."""
    turns = []
    for part in html.split("<br>"):
        turn = _HTML_TURN.fullmatch(part.strip())
        if turn or not part.strip().startswith("<b>"):
            text = without_notes(unescape(_TAG.sub(" ", turn["text"] if turn else part)))
            turns += [Turn((turn["speaker"].strip(),) if turn else (), text)] if text else []
    return tuple(turns)
