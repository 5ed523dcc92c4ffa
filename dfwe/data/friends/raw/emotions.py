"""MELD (Poria et al., 2019) and Emory's emotion set (Zahiri and Choi, 2018): utterances with an emotion.

MELD has numbered dialogues without scene ids. Emory has scenes in JSON, and a CSV form with other scene numbers and
fewer of the same utterances, which is used if the JSON of a part is missing.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dfwe.data.friends.annotations import EMORY, MELD, EmotionAnnotation
from dfwe.data.friends.excerpt import Excerpt, Reading, Turn
from dfwe.data.friends.raw.files import label_of, names_of, read_release, table
from dfwe.data.friends.raw.transcript import scene_of, scenes
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
    utterances, rows = read_utterances(path, columns=_MELD_COLUMNS, read=_meld_utterance)
    part = path.name.split("_")[0]
    key = f"meld_{part}_{{:04d}}".format
    return dialogues(utterances, release="MELD", task=MELD, key=key, last=True), rows


def _meld_utterance(row: Mapping[str, str]) -> Utterance:
    text = row["Utterance"].translate(_REPAIR).strip()
    if not text:
        raise ValueError("the utterance is empty")
    label = label_of(row["Emotion"], labels=MELD_LABELS)
    return Utterance(int(row["Dialogue_ID"]), number_of(row), Turn((row["Speaker"],), text), label)


def read_emory(folder: Path) -> Reading:
    """Read the scenes of `emory_emotion/emotion-detection-*.json`, or `emorynlp_*_final.csv` for missing parts."""
    root = folder / "emory_emotion"
    substitutes = [table for scenes_file, table in _EMORY_FILES.items() if not (root / scenes_file).exists()]
    return read_release("Emory emotion", folder=root, files=[*_EMORY_FILES, *substitutes], read=_emory_file)


def _emory_file(path: Path) -> tuple[list[Excerpt], RowReport]:
    if path.suffix == ".json":
        return scenes(path, read=_emory_scene)
    utterances, rows = read_utterances(path, columns=_EMORY_COLUMNS, read=_emory_utterance)
    part = path.name.split("_")[1]
    key = f"emory_{part}_{{}}".format
    return dialogues(utterances, release="Emory emotion (CSV)", task=EMORY, key=key, last=False), rows


def _emory_scene(scene: Mapping[str, Any]) -> Excerpt:
    name, turns = scene_of(scene)
    # scenes of the seasons files carry no emotion on stage directions
    labelled = [(n, u["emotion"]) for n, u in enumerate(scene["utterances"]) if u.get("emotion")]
    annotations = tuple(
        EmotionAnnotation(EMORY, number, label_of(label, labels=EMORY_LABELS)) for number, label in labelled
    )
    return Excerpt("Emory emotion", f"emory_{name}", turns, annotations, scene_id=name, whole=True)


def _emory_utterance(row: Mapping[str, str]) -> Utterance:
    key = f"s{int(row['Season']):02d}_e{int(row['Episode']):02d}_scene{int(row['Scene_ID']):02d}"
    if not row["Utterance"].strip():
        raise ValueError("the utterance is empty")
    turn = Turn(_speakers(row["Speaker"]), row["Utterance"].strip())
    return Utterance(key, number_of(row), turn, label_of(row["Emotion"], labels=EMORY_LABELS))


def _speakers(text: str) -> tuple[str, ...]:
    try:
        return names_of(ast.literal_eval(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"speakers must be written as a list of names, found '{text}'") from error


@dataclass(frozen=True)
class Utterance:
    """Row of an utterance with an emotion."""

    dialogue: Any  # its name in the release
    number: int | None  # orders the dialogue; None if the file has no numbers
    turn: Turn
    label: str
    line: int = 0


def read_utterances(
    path: Path, *, columns: Sequence[str], read: Callable[[Mapping[str, str]], Utterance]
) -> tuple[list[Utterance], RowReport]:
    """Read a file's utterances, grouped by dialogue and ordered by their own numbers.

    A row that repeats another of its dialogue is invalid. One that has the number of another, stands after a higher
    one, or apart from its dialogue, is suspicious.
    """
    numbered, report = table(path, columns=columns, read=read)
    dialogues: dict[Any, list[Utterance]] = {}
    invalid, suspicious = list(report.invalid), list(report.suspicious)
    last = None
    for line, read_one in numbered:
        utterance = replace(read_one, line=line)
        before = dialogues.setdefault(utterance.dialogue, [])
        first = next((row for row in before if _is_repeated(row, by=utterance)), None)
        if first is not None:
            reason = f"utterance {utterance.number} of its dialogue comes again: line {first.line} has it, too"
            invalid.append(RowIssue(str(path), line, reason))
            continue
        suspicious += _disorder(utterance, before=before, apart=utterance.dialogue != last, path=path)
        before.append(utterance)
        last = utterance.dialogue
    ordered = [row for group in dialogues.values() for row in sorted(group, key=_order)]
    return ordered, RowReport(report.num_rows, tuple(sorted(invalid, key=lambda issue: issue.line)), tuple(suspicious))


def dialogues(
    utterances: Sequence[Utterance], *, release: str, task: str, key: Callable[[Any], str], last: bool
) -> list[Excerpt]:
    """Return an excerpt per dialogue, in the order of first utterances; `last` as in `EmotionAnnotation`."""
    groups: dict[Any, list[Utterance]] = {}
    for utterance in utterances:
        groups.setdefault(utterance.dialogue, []).append(utterance)
    excerpts = []
    for name, group in groups.items():
        annotations = tuple(EmotionAnnotation(task, number, row.label, last=last) for number, row in enumerate(group))
        turns = tuple(row.turn for row in group)
        excerpts.append(Excerpt(release, key(name), turns, annotations, divisible=True))
    return excerpts


def _is_repeated(first: Utterance, *, by: Utterance) -> bool:
    """Check whether a row repeats another, number included; equal words with another number are another utterance."""
    return by.number is not None and replace(first, line=by.line) == by


def _disorder(utterance: Utterance, *, before: Sequence[Utterance], apart: bool, path: Path) -> list[RowIssue]:
    """Return an issue if the utterance is out of order, with the first reason that applies."""
    if not before:
        return []
    highest = max(before, key=_order)
    same = next((row for row in before if utterance.number is not None and row.number == utterance.number), None)
    reason = ""
    if apart:
        reason = f"it stands apart from its dialogue, which ends in line {before[-1].line}; it is read with it"
    elif same is not None:
        reason = f"it has the number {same.number} of its dialogue, as line {same.line} has with other words"
    elif _order(utterance) < _order(highest):
        reason = f"utterance {utterance.number} stands after {highest.number} of its dialogue; it is read before it"
    return [RowIssue(str(path), utterance.line, reason)] if reason else []


def _order(utterance: Utterance) -> int:
    return 0 if utterance.number is None else utterance.number


def number_of(row: Mapping[str, str]) -> int | None:
    """Return the utterance's own number; ValueError if the column exists and holds none."""
    return int(row[NUMBER]) if NUMBER in row else None
