"""FriendsQA (Yang and Choi, 2019): questions about whole scenes, answered by words of a turn or by its speaker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dfwe.data.friends.annotations import QuestionAnnotation, QuestionAnswer
from dfwe.data.friends.excerpt import Excerpt, Reading, Turn
from dfwe.data.friends.raw.files import convert, json_records, names_of, read_release, scene_id, text_of
from dfwe.data.friends.words import detokenise
from dfwe.data.readers.base import RowReport
from dfwe.io.files import read_text

_FILES = ("friendsqa_trn.json", "friendsqa_dev.json", "friendsqa_tst.json")
_NOTE = "#NOTE#"


def read(folder: Path) -> Reading:
    """Read the scenes of `question_answering/friendsqa_*.json`."""
    return read_release("FriendsQA", folder=folder / "question_answering", files=_FILES, read=_file)


def _file(path: Path) -> tuple[list[Excerpt], RowReport]:
    records = json_records(read_text(path), name=str(path), key="data")
    return convert(enumerate(records, start=1), path=path, read=_scene)


def _scene(record: Mapping[str, Any]) -> Excerpt:
    name = scene_id(record["title"])
    (paragraph,) = record["paragraphs"]
    utterances = paragraph["utterances:"]  # the key is spelt so
    turns = tuple(Turn(_speakers(u), detokenise(u["utterance"])) for u in utterances)
    numbers = {u["uid"]: number for number, u in enumerate(utterances)}
    annotations = tuple(_question(qa, numbers=numbers) for qa in paragraph["qas"])
    return Excerpt("FriendsQA", f"questions_{name}", turns, annotations, scene_id=name, whole=True)


def _question(qa: Mapping[str, Any], *, numbers: Mapping[int, int]) -> QuestionAnnotation:
    answers = tuple(
        QuestionAnswer(numbers[a["utterance_id"]], detokenise(a["answer_text"]), bool(a["is_speaker"]))
        for a in qa["answers"]
    )
    return QuestionAnnotation(question_id=text_of(qa["id"]), text=detokenise(qa["question"]), answers=answers)


def _speakers(utterance: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for name in names_of(utterance["speakers"]) if name != _NOTE)
