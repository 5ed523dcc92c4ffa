"""Emory's emotion set (Zahiri and Choi, 2018): scenes in JSON, and a CSV form with other scene numbers.

The CSV form of a part has fewer of the same utterances; it is used if the JSON is missing.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dfwe.data.friends.annotations import EMORY, EmotionAnnotation
from dfwe.data.friends.excerpt import Excerpt, Reading, Turn
from dfwe.data.friends.raw.emotions import Utterance, dialogues, number_of, read_utterances
from dfwe.data.friends.raw.files import label_of, names_of, read_release
from dfwe.data.friends.raw.transcript import scene_of, scenes
from dfwe.data.readers.base import RowReport

LABELS = ("joyful", "mad", "neutral", "peaceful", "powerful", "sad", "scared")
# scenes in JSON have ids, those of the CSV do not
_FILES = {
    "emotion-detection-trn.json": "emorynlp_train_final.csv",
    "emotion-detection-dev.json": "emorynlp_dev_final.csv",
    "emotion-detection-tst.json": "emorynlp_test_final.csv",
}
_COLUMNS = ("Utterance", "Speaker", "Emotion", "Scene_ID", "Season", "Episode")


def read(folder: Path) -> Reading:
    """Read the scenes of `emory_emotion/emotion-detection-*.json`, or `emorynlp_*_final.csv` for missing parts."""
    root = folder / "emory_emotion"
    substitutes = [table for scenes_file, table in _FILES.items() if not (root / scenes_file).exists()]
    return read_release("Emory emotion", folder=root, files=[*_FILES, *substitutes], read=_file)


def _file(path: Path) -> tuple[list[Excerpt], RowReport]:
    if path.suffix == ".json":
        return scenes(path, read=_scene)
    utterances, rows = read_utterances(path, columns=_COLUMNS, read=_utterance)
    part = path.name.split("_")[1]
    key = f"emory_{part}_{{}}".format
    return dialogues(utterances, release="Emory emotion (CSV)", task=EMORY, key=key, last=False), rows


def _scene(scene: Mapping[str, Any]) -> Excerpt:
    name, turns = scene_of(scene)
    # scenes of the seasons files carry no emotion on stage directions
    labelled = [(n, u["emotion"]) for n, u in enumerate(scene["utterances"]) if u.get("emotion")]
    annotations = tuple(EmotionAnnotation(EMORY, number, label_of(label, labels=LABELS)) for number, label in labelled)
    return Excerpt("Emory emotion", f"emory_{name}", turns, annotations, scene_id=name, whole=True)


def _utterance(row: Mapping[str, str]) -> Utterance:
    key = f"s{int(row['Season']):02d}_e{int(row['Episode']):02d}_scene{int(row['Scene_ID']):02d}"
    if not row["Utterance"].strip():
        raise ValueError("the utterance is empty")
    turn = Turn(_speakers(row["Speaker"]), row["Utterance"].strip())
    return Utterance(key, number_of(row), turn, label_of(row["Emotion"], labels=LABELS))


def _speakers(text: str) -> tuple[str, ...]:
    try:
        return names_of(ast.literal_eval(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"speakers must be written as a list of names, found '{text}'") from error
