"""Emory's emotion set (Zahiri and Choi, 2018): scenes in JSON, and a CSV form that numbers its scenes anew."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from dfwe.data.bad_rows import Rows
from dfwe.data.friends.excerpt import Excerpt, Reading, Turn
from dfwe.data.friends.marks import EMORY, Emotion
from dfwe.data.friends.raw.files import convert, label_of, present, table
from dfwe.data.friends.raw.transcript import numbered_scenes, scene_of

LABELS = ("joyful", "mad", "neutral", "peaceful", "powerful", "sad", "scared")
_COLUMNS = ("Utterance", "Speaker", "Emotion", "Scene_ID", "Utterance_ID", "Season", "Episode")


def read(folder: Path) -> Reading:
    """The scenes of `emory_emotion/emotion-detection-*.json`, then those of `emorynlp_*_final.csv`."""
    names = [f"emotion-detection-{part}.json" for part in ("trn", "dev", "tst")]
    paths, missing = present(folder / "emory_emotion", names=names)
    excerpts: list[Excerpt] = []
    rows = Rows(0)
    for path in paths:
        scenes, part_rows = convert(numbered_scenes(path), path=path, read=_scene)
        excerpts += [scene for _, scene in scenes]
        rows += part_rows
    tables, missing_tables = present(
        folder / "emory_emotion", names=[f"emorynlp_{part}_final.csv" for part in ("train", "dev", "test")]
    )
    for path in tables:
        utterances, part_rows = convert(table(path, columns=_COLUMNS), path=path, read=_utterance)
        rows += part_rows
        for key, group in groupby((utterance for _, utterance in utterances), key=lambda item: item[0]):
            lines = [(turn, label) for _, turn, label in group]
            excerpts.append(
                Excerpt(
                    release="Emory emotion (CSV)",
                    key=f"emory_{path.name.split('_')[1]}_{key}",
                    turns=tuple(turn for turn, _ in lines),
                    marks=tuple(Emotion(EMORY, number, label) for number, (_, label) in enumerate(lines)),
                    divisible=True,
                )
            )
    return Reading("Emory emotion", tuple(excerpts), rows, missing + missing_tables)


def _scene(scene: Mapping[str, Any]) -> Excerpt:
    name, turns = scene_of(scene)
    # scenes of the seasons files carry no emotion on stage directions
    labelled = [(n, u["emotion"]) for n, u in enumerate(scene["utterances"]) if u.get("emotion")]
    marks = tuple(Emotion(EMORY, number, label_of(label, labels=LABELS)) for number, label in labelled)
    return Excerpt("Emory emotion", f"emory_{name}", turns, marks, scene_id=name, whole=True)


def _utterance(row: dict[str, str]) -> tuple[str, Turn, str]:
    speakers = tuple(str(name) for name in ast.literal_eval(row["Speaker"]))
    key = f"s{int(row['Season']):02d}_e{int(row['Episode']):02d}_scene{int(row['Scene_ID']):02d}"
    if not row["Utterance"].strip():
        raise ValueError("the utterance is empty")
    return key, Turn(speakers, row["Utterance"].strip()), label_of(row["Emotion"], labels=LABELS)
