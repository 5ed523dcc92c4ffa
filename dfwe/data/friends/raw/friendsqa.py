"""FriendsQA (Yang and Choi, 2019): questions about whole scenes, answered by words of a turn or by its speaker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dfwe.data.bad_rows import Rows
from dfwe.data.friends.excerpt import Excerpt, Reading, Turn
from dfwe.data.friends.marks import Answer, Question
from dfwe.data.friends.raw.files import convert, parse_json, present, read_text, scene_id
from dfwe.data.friends.words import detokenise

_NOTE = "#NOTE#"


def read(folder: Path) -> Reading:
    """The scenes of `question_answering/friendsqa_*.json`."""
    paths, missing = present(
        folder / "question_answering", names=[f"friendsqa_{part}.json" for part in ("trn", "dev", "tst")]
    )
    excerpts: list[Excerpt] = []
    rows = Rows(0)
    for path in paths:
        records = enumerate(parse_json(read_text(path), name=str(path))["data"], start=1)
        scenes, part_rows = convert(records, path=path, read=_scene)
        excerpts += [scene for _, scene in scenes]
        rows += part_rows
    return Reading("FriendsQA", tuple(excerpts), rows, missing)


def _scene(record: Mapping[str, Any]) -> Excerpt:
    name = scene_id(record["title"])
    (paragraph,) = record["paragraphs"]
    utterances = paragraph["utterances:"]  # the key is spelt so
    turns = tuple(Turn(_speakers(u["speakers"]), detokenise(u["utterance"])) for u in utterances)
    numbers = {u["uid"]: number for number, u in enumerate(utterances)}
    marks = tuple(
        Question(
            question_id=qa["id"],
            text=detokenise(qa["question"]),
            answers=tuple(
                Answer(numbers[a["utterance_id"]], detokenise(a["answer_text"]), bool(a["is_speaker"]))
                for a in qa["answers"]
            ),
        )
        for qa in paragraph["qas"]
    )
    return Excerpt("FriendsQA", f"questions_{name}", turns, marks, scene_id=name, whole=True)


def _speakers(names: list[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name != _NOTE)
