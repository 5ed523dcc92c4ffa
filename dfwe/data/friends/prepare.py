"""From the folder of releases to a data set in the TLiDB format, with a report."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfwe.data.friends.annotations import TASKS
from dfwe.data.friends.build import Tally, build
from dfwe.data.friends.dialogue import count, dialogue_of
from dfwe.data.friends.excerpt import Reading
from dfwe.data.friends.raw import dialogre, emotions, friendsqa, personality, reading_comprehension, transcript
from dfwe.data.friends.split import FEW_SHOT, SPLITS, OfficialSplit, few_shot_lists, split_dialogues
from dfwe.data.readers.tlidb import DIALOGUES, FOLDER
from dfwe.errors import DataError
from dfwe.io.files import make_folder, write_text

# the first release that has a scene gives its lines: whole scenes with stage directions come first, parts last
_RELEASES: tuple[Callable[..., Reading], ...] = (
    friendsqa.read,
    emotions.read_emory,
    transcript.read_mentions,
    transcript.read,
    reading_comprehension.read,
    personality.read,
    emotions.read_meld,
    dialogre.read,
)
REPORT = "prepared.json"


@dataclass(frozen=True)
class Prepared:
    """The data set, and statistics of the releases."""

    dialogues: Sequence[Mapping[str, Any]]
    split: Mapping[str, Sequence[str]]
    few_shot: Mapping[str, Sequence[str]]
    readings: Sequence[Reading]
    tally: Tally
    instances: Mapping[str, Counter[str]]  # of each split: by task
    num_apart: int  # pairs of dialogues that share a long line across splits
    num_codes: tuple[int, int]  # hidden names that were found, of all


def prepare(raw: Path, *, official: OfficialSplit, max_invalid_fraction: float) -> Prepared:
    """Build the data set from the releases below `raw`.

    Raises:
        DataError: a file is broken, too many of its rows are, or there is no release at all.
    """
    readings = _read(raw, official=official)
    for reading in readings:
        reading.report.check(max_fraction=max_invalid_fraction, name=reading.name, setting="--max-invalid-fraction")
    if not any(reading.excerpts for reading in readings):
        raise DataError(f"{raw} holds none of the releases: expected folders such as meld/ and question_answering/")
    scenes, tally = build(readings)
    dialogues = [dialogue_of(scene) for scene in scenes.values()]
    split, num_apart = split_dialogues(dialogues, official=official)
    codes = [(scene, code) for scene in scenes.values() for code in scene.codes]
    return Prepared(
        dialogues=dialogues,
        split=split,
        few_shot=few_shot_lists(split, official=official),
        readings=readings,
        tally=tally,
        instances=_instances(dialogues, split=split),
        num_apart=num_apart,
        num_codes=(sum(bool(scene.names.get(code)) for scene, code in codes), len(codes)),
    )


def write(prepared: Prepared, *, out: Path, report: Mapping[str, Any]) -> Path:
    """Write `TLiDB_Friends/` with its lists and the report; each file is complete or missing.

    Raises:
        OutputError: the folder cannot be written to.
    """
    folder = out / FOLDER
    metadata = {"dataset_name": "Friends", "tasks": list(TASKS)}
    content = {"metadata": metadata, "data": prepared.dialogues}
    files = {DIALOGUES: json.dumps(content, ensure_ascii=False), REPORT: json.dumps(report, indent=2) + "\n"}
    for split in SPLITS:
        files[f"TTiDB_{split}_ids.txt"] = _lines(prepared.split[split])
    for split, ids in prepared.few_shot.items():
        files[f"TTiDB_{FEW_SHOT}_percent_few_shot_{split}_ids.txt"] = _lines(ids)
    make_folder(folder)
    for name, text in files.items():
        write_text(folder / name, text)
    return folder


def _read(raw: Path, *, official: OfficialSplit) -> list[Reading]:
    readings: list[Reading] = []
    scene_ids = frozenset().union(*official.ids.values())
    for read in _RELEASES:
        reading = read(raw, scene_ids=scene_ids) if read is reading_comprehension.read else read(raw)
        readings.append(reading)
        scene_ids |= {excerpt.scene_id for excerpt in reading.excerpts if excerpt.scene_id is not None}
    return readings


def _instances(
    dialogues: Sequence[Mapping[str, Any]], *, split: Mapping[str, Sequence[str]]
) -> dict[str, Counter[str]]:
    of = {i: name for name, ids in split.items() for i in ids}
    counts: dict[str, Counter[str]] = {name: Counter() for name in SPLITS}
    for dialogue in dialogues:
        counts[of[dialogue["dialogue_id"]]].update(count(dialogue))
    return counts


def _lines(ids: Sequence[str]) -> str:
    return "".join(f"{i}\n" for i in ids)
