"""Personality (Jiang et al., 2020): a speaker's five traits, judged from part of a scene, which is given as HTML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from pathlib import Path

from dfwe.data.friends.annotations import TRAITS, PersonalityAnnotation
from dfwe.data.friends.excerpt import Excerpt, Reading, Turn
from dfwe.data.friends.raw.files import read_release, scene_id, table
from dfwe.data.friends.words import without_notes
from dfwe.data.readers.base import RowReport

_COLUMNS = ("cAGR", "cCON", "cEXT", "cOPN", "cNEU")  # in the order of TRAITS
_TURN = re.compile(r"<b>(?P<speaker>[^<]*)</b>:(?P<text>.*)", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")


def read(folder: Path) -> Reading:
    """Read the samples of `personality/friends-personality.csv`."""
    return read_release("personality", folder=folder / "personality", files=("friends-personality.csv",), read=_file)


def _file(path: Path) -> tuple[list[Excerpt], RowReport]:
    numbered, rows = table(path, columns=("scene_id", "text", "character", *_COLUMNS), read=_sample)
    return [excerpt for _, excerpt in numbered], rows


def _sample(row: Mapping[str, str]) -> Excerpt:
    traits = {trait: row[column] for trait, column in zip(TRAITS, _COLUMNS, strict=True)}
    wrong = [value for value in traits.values() if value not in ("0", "1")]
    if wrong:
        raise ValueError(f"a trait is '{wrong[0]}', expected 0 or 1")
    turns = _turns(row["text"])
    name = scene_id("s" + row["scene_id"])
    annotation = PersonalityAnnotation(row["character"], traits)
    return Excerpt("personality", f"personality_{name}", turns, (annotation,), scene_id=name)


def _turns(html: str) -> tuple[Turn, ...]:
    """Parse utterances and stage directions, without the heading, which is bold as a whole."""
    turns = []
    for part in html.split("<br>"):
        turn = _TURN.fullmatch(part.strip())
        if turn or not part.strip().startswith("<b>"):
            text = without_notes(unescape(_TAG.sub(" ", turn["text"] if turn else part)))
            turns += [Turn((turn["speaker"].strip(),) if turn else (), text)] if text else []
    return tuple(turns)
