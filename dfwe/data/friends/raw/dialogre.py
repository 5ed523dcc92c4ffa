"""DialogRE, version 1 (Yu et al., 2020): relations between two names in a piece of dialogue with hidden speakers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from dfwe.data.bad_rows import Rows
from dfwe.data.friends.excerpt import Excerpt, Reading, Turn
from dfwe.data.friends.marks import Pair, Relations
from dfwe.data.friends.raw.files import convert, parse_json, present, read_text

_SPEAKERS = re.compile(r"(?P<names>Speaker \d+(?:, ?Speaker \d+)*): ?(?P<text>.*)", re.DOTALL)


def read(folder: Path) -> Reading:
    """The dialogues of `dialogre/{train,dev,test}.json`."""
    paths, missing = present(folder / "dialogre", names=[f"{part}.json" for part in ("train", "dev", "test")])
    excerpts: list[Excerpt] = []
    rows = Rows(0)
    for path in paths:
        records = enumerate(parse_json(read_text(path), name=str(path)), start=1)
        dialogues, part_rows = convert(records, path=path, read=_dialogue)
        rows += part_rows
        for number, (turns, mark) in dialogues:
            excerpts.append(Excerpt("DialogRE", f"dialogre_{path.stem}_{number:04d}", turns, (mark,)))
    return Reading("DialogRE", tuple(excerpts), rows, missing)


def _dialogue(record: Any) -> tuple[tuple[Turn, ...], Relations]:
    lines, pairs = record
    turns = tuple(_turn(line) for line in lines)
    if not turns:
        raise ValueError("the dialogue has no turn")
    found = tuple(Pair(pair["x"], pair["y"], tuple(pair["r"])) for pair in pairs)
    empty = [pair for pair in found if not (pair.head and pair.tail and pair.relations)]
    if empty:
        raise ValueError(f"a pair lacks a name or a relation: {empty[0]}")
    return turns, Relations(found, tuple(turn.speakers[0] if turn.speakers else "" for turn in turns))


def _turn(line: str) -> Turn:
    match = _SPEAKERS.fullmatch(line)
    if match is None:
        return Turn((), line.strip())
    return Turn(tuple(re.split(r", ?", match["names"])), match["text"].strip())
