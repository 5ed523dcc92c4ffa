"""MELD (Poria et al., 2019) and Emory's emotion set (Zahiri and Choi, 2018): utterances with an emotion.

MELD has numbered dialogues without scene ids. Emory has scenes in JSON, and a CSV form with other scene numbers and
fewer of the same utterances, which is used if the JSON of a part is missing.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dfwe.data.friends.annotations import EmotionAnnotation
from dfwe.data.friends.raw.files import label_of, names_of, read_release, table
from dfwe.data.friends.raw.scenes import read_scenes, scene_of
from dfwe.data.friends.scene import Excerpt, Reading, Turn
from dfwe.data.friends.tasks import EMORY, MELD
from dfwe.data.readers.base import RowIssue, RowReport

NUMBER = "Utterance_ID"  # the column that counts the utterances of a dialogue, in files that have it
MELD_LABELS = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
_MELD_FILES = ("train_sent_emo.csv", "dev_sent_emo.csv", "test_sent_emo.csv")
_MELD_COLUMNS = ("Utterance", "Speaker", "Emotion", "Dialogue_ID")
# the release was saved once in the wrong encoding: these are Windows quotation marks
_REPAIR = str.maketrans({"\x91": "'", "\x92": "'", "\x93": '"', "\x94": '"', "\x85": "...", "\x96": "-", "\x97": "-"})
EMORY_LABELS = ("joyful", "mad", "neutral", "peaceful", "powerful", "sad", "scared")
# scenes in JSON have ids, those of the CSV do not
_EMORY_FILES = {
    "emotion-detection-trn.json": "emorynlp_train_final.csv",
    "emotion-detection-dev.json": "emorynlp_dev_final.csv",
    "emotion-detection-tst.json": "emorynlp_test_final.csv",
}
_EMORY_COLUMNS = ("Utterance", "Speaker", "Emotion", "Scene_ID", "Season", "Episode")


def read_meld(folder: Path) -> Reading:
    """Read the dialogues of `meld/{train,dev,test}_sent_emo.csv`."""
    return read_release("MELD", folder=folder / "meld", files=_MELD_FILES, read=_meld_file)


def _meld_file(path: Path) -> tuple[list[Excerpt], RowReport]:
    return _MELD.excerpts(path, part=path.name.split("_")[0])


def _meld_utterance(line: int, row: Mapping[str, str]) -> Utterance:
    text = row["Utterance"].translate(_REPAIR).strip()
    if not text:
        raise ValueError("the utterance is empty")
    label = label_of(row["Emotion"], labels=MELD_LABELS)
    return Utterance(int(row["Dialogue_ID"]), _number_of(row), Turn((row["Speaker"],), text), label, line)


def read_emory(folder: Path) -> Reading:
    """Read the scenes of `emory_emotion/emotion-detection-*.json`, or `emorynlp_*_final.csv` for missing parts."""
    root = folder / "emory_emotion"
    substitutes = [table for scenes_file, table in _EMORY_FILES.items() if not (root / scenes_file).exists()]
    return read_release("Emory emotion", folder=root, files=[*_EMORY_FILES, *substitutes], read=_emory_file)


def _emory_file(path: Path) -> tuple[list[Excerpt], RowReport]:
    if path.suffix == ".json":
        return read_scenes(path, read=_emory_scene)
    return _EMORY.excerpts(path, part=path.name.split("_")[1])


def _emory_scene(scene: Mapping[str, Any]) -> Excerpt:
    name, turns = scene_of(scene)
    # scenes of the seasons files carry no emotion on stage directions
    labelled = [(n, u["emotion"]) for n, u in enumerate(scene["utterances"]) if u.get("emotion")]
    annotations = tuple(
        EmotionAnnotation(EMORY, number, label_of(label, labels=EMORY_LABELS)) for number, label in labelled
    )
    return Excerpt("Emory emotion", f"emory_{name}", turns, annotations, scene_id=name, whole=True)


def _emory_utterance(line: int, row: Mapping[str, str]) -> Utterance:
    key = f"s{int(row['Season']):02d}_e{int(row['Episode']):02d}_scene{int(row['Scene_ID']):02d}"
    if not row["Utterance"].strip():
        raise ValueError("the utterance is empty")
    turn = Turn(_speakers(row["Speaker"]), row["Utterance"].strip())
    return Utterance(key, _number_of(row), turn, label_of(row["Emotion"], labels=EMORY_LABELS), line)


def _speakers(text: str) -> tuple[str, ...]:
    try:
        return names_of(ast.literal_eval(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"speakers must be written as a list of names, found '{text}'") from error


@dataclass(frozen=True)
class Utterance:
    """Row of an utterance with an emotion, which repeats another where all but the line is equal."""

    dialogue: Any  # its name in the release
    number: int | None  # orders the dialogue; None if the file has no numbers
    turn: Turn
    label: str
    line: int = field(compare=False)


@dataclass(frozen=True)
class _Rows:
    """A release's rows of utterances."""

    release: str
    task: str
    columns: Sequence[str]
    read: Callable[[int, Mapping[str, str]], Utterance]
    key: str  # of a dialogue, with places for the part and the dialogue's name
    last: bool = False  # as in `EmotionAnnotation`

    def excerpts(self, path: Path, *, part: str) -> tuple[list[Excerpt], RowReport]:
        """Return an excerpt per dialogue, in the order of first utterances; utterances in that of their own numbers.

        A row that repeats another of its dialogue is invalid. One that has the number of another, stands after a
        higher one, or apart from its dialogue, is suspicious.
        """
        utterances, report = table(path, columns=self.columns, read=self.read)
        dialogues: dict[Any, list[Utterance]] = {}
        invalid, suspicious = list(report.invalid), list(report.suspicious)
        last = None
        for utterance in utterances:
            before = dialogues.setdefault(utterance.dialogue, [])
            if utterance.number is not None and utterance in before:
                first = before[before.index(utterance)]
                reason = f"utterance {utterance.number} of its dialogue comes again: line {first.line} has it, too"
                invalid.append(RowIssue(str(path), utterance.line, reason))
                continue
            reason = _disorder(utterance, before=before, apart=utterance.dialogue != last)
            suspicious += [RowIssue(str(path), utterance.line, reason)] if reason else []
            before.append(utterance)
            last = utterance.dialogue
        invalid.sort(key=lambda issue: issue.line)
        report = RowReport(report.num_rows, tuple(invalid), tuple(suspicious))
        return [self._excerpt(group, key=self.key.format(part, name)) for name, group in dialogues.items()], report

    def _excerpt(self, group: Sequence[Utterance], *, key: str) -> Excerpt:
        rows = sorted(group, key=_order)
        labels = (EmotionAnnotation(self.task, place, row.label, last=self.last) for place, row in enumerate(rows))
        return Excerpt(self.release, key, tuple(row.turn for row in rows), tuple(labels), divisible=True)


def _disorder(utterance: Utterance, *, before: Sequence[Utterance], apart: bool) -> str:
    """Return the first reason for which an utterance is out of order, empty without one."""
    if not before:
        return ""
    if apart:
        return f"it stands apart from its dialogue, which ends in line {before[-1].line}; it is read with it"
    highest = max(before, key=_order)
    same = next((row for row in before if utterance.number is not None and row.number == utterance.number), None)
    if same is not None:
        return f"it has the number {same.number} of its dialogue, as line {same.line} has with other words"
    if _order(utterance) < _order(highest):
        return f"utterance {utterance.number} stands after {highest.number} of its dialogue; it is read before it"
    return ""


def _order(utterance: Utterance) -> int:
    return 0 if utterance.number is None else utterance.number


def _number_of(row: Mapping[str, str]) -> int | None:
    """Return the utterance's own number; ValueError if the column exists and holds none."""
    return int(row[NUMBER]) if NUMBER in row else None


_MELD = _Rows("MELD", MELD, _MELD_COLUMNS, _meld_utterance, key="meld_{}_{:04d}", last=True)
_EMORY = _Rows("Emory emotion (CSV)", EMORY, _EMORY_COLUMNS, _emory_utterance, key="emory_{}_{}")
