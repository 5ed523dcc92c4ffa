"""Personality (Jiang et al., 2020): a speaker's five traits, judged from part of a scene, which is given as HTML."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

from dfwe.data.friends.excerpt import Excerpt, Reading, Turn
from dfwe.data.friends.marks import TRAITS, Personality
from dfwe.data.friends.raw.files import convert, present, scene_id, table
from dfwe.data.friends.words import without_notes

_COLUMNS = ("cAGR", "cCON", "cEXT", "cOPN", "cNEU")  # in the order of TRAITS
_TURN = re.compile(r"<b>(?P<speaker>[^<]*)</b>:(?P<text>.*)", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")


def read(folder: Path) -> Reading:
    """The samples of `personality/friends-personality.csv`."""
    paths, missing = present(folder / "personality", names=["friends-personality.csv"])
    if not paths:
        return Reading("personality", (), convert([], path="", read=_sample)[1], missing)
    records = table(paths[0], columns=("scene_id", "text", "character", *_COLUMNS))
    samples, rows = convert(records, path=paths[0], read=_sample)
    return Reading("personality", tuple(sample for _, sample in samples), rows, missing)


def _sample(row: dict[str, str]) -> Excerpt:
    traits = {trait: row[column] for trait, column in zip(TRAITS, _COLUMNS, strict=True)}
    wrong = [value for value in traits.values() if value not in ("0", "1")]
    if wrong:
        raise ValueError(f"a trait is '{wrong[0]}', expected 0 or 1")
    turns = _turns(row["text"])
    if not turns:
        raise ValueError("its text has no turn")
    name = scene_id("s" + row["scene_id"])
    mark = Personality(row["character"], traits)
    return Excerpt("personality", f"personality_{name}", turns, (mark,), scene_id=name)


def _turns(html: str) -> tuple[Turn, ...]:
    matches = [_TURN.fullmatch(part.strip()) for part in html.split("<br>")]
    turns = [(m["speaker"].strip(), without_notes(unescape(_TAG.sub(" ", m["text"])))) for m in matches if m]
    return tuple(Turn((speaker,), text) for speaker, text in turns if text)
