"""From the folder of releases to a data set in the TLiDB format, with a report."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfwe.data.friends.build import Tally, build
from dfwe.data.friends.dialogue import count, dialogue_of
from dfwe.data.friends.raw import emotions, excerpts, reading_comprehension, scenes
from dfwe.data.friends.scene import Reading
from dfwe.data.friends.split import OfficialSplit, few_shot_lists, split_dialogues
from dfwe.data.friends.tasks import OFFICIAL_TEST, TASKS
from dfwe.data.readers.tlidb import write_tlidb
from dfwe.errors import DataError
from dfwe.io.files import write_text
from dfwe.records import SPLITS

# the first release that has a scene gives its lines: whole scenes with stage directions come first, parts last
_RELEASES: tuple[Callable[..., Reading], ...] = (
    scenes.read_friendsqa,
    emotions.read_emory,
    scenes.read_mentions,
    scenes.read_seasons,
    reading_comprehension.read,
    excerpts.read_personality,
    emotions.read_meld,
    excerpts.read_dialogre,
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
    by_id, tally = build(readings)
    dialogues = [dialogue_of(scene) for scene in by_id.values()]
    split, num_apart = split_dialogues(dialogues, official=official)
    codes = [(scene, code) for scene in by_id.values() for code in scene.codes]
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
    content = {"metadata": {"dataset_name": "Friends", "tasks": list(TASKS)}, "data": prepared.dialogues}
    text = json.dumps(content, ensure_ascii=False)
    folder = write_tlidb(out, content=text, splits=prepared.split, few_shot=prepared.few_shot)
    write_text(folder / REPORT, json.dumps(report, indent=2) + "\n")
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


def summarize(prepared: Prepared, *, official: OfficialSplit) -> dict[str, Any]:
    """Build the report as JSON values."""
    num_names, total = prepared.num_codes
    return {
        "tasks": {task: _task(task, prepared=prepared) for task in TASKS},
        "releases": {reading.name: _release(reading, tally=prepared.tally) for reading in prepared.readings},
        "dialogues": {split: len(prepared.split[split]) for split in SPLITS},
        "official_split": {split: sum(official.of(i) is not None for i in prepared.split[split]) for split in SPLITS},
        "few_shot": {split: len(ids) for split, ids in prepared.few_shot.items()},
        "pairs_across_splits": prepared.num_apart,
        "hidden_names": {"found": num_names, "of": total},
    }


def report_text(report: Mapping[str, Any]) -> str:
    """Format the report for people."""
    return "\n".join([*_task_lines(report), "", *_release_lines(report), "", *_closing_lines(report)])


def _task(task: str, *, prepared: Prepared) -> dict[str, Any]:
    per_split = {split: prepared.instances[split][task] for split in SPLITS}
    return {
        "found": prepared.tally.read[task],
        "used": sum(per_split.values()),
        "dropped": dict(prepared.tally.dropped[task]),
        "instances": per_split,
        "official_test": OFFICIAL_TEST[task],
    }


def _release(reading: Reading, *, tally: Tally) -> dict[str, Any]:
    names = {excerpt.release for excerpt in reading.excerpts}
    return {
        "scene_told": sum(tally.with_scene[release] for release in names),
        "scene_matched": sum(tally.matched[release] for release in names),
        "scene_unmatched": sum(tally.unmatched[release] for release in names),
        "rows": reading.report.num_rows,
        "bad_rows": [str(row) for row in reading.report.invalid],
        "odd_rows": [str(row) for row in reading.report.suspicious],
        "missing_files": list(reading.missing),
    }


def _task_lines(report: Mapping[str, Any]) -> list[str]:
    lines = [f"{'task':26} {'found':>6} {'used':>6} {'train':>6} {'dev':>6} {'test':>6}  official test"]
    for task, row in report["tasks"].items():
        counts = " ".join(f"{row['instances'][split]:6d}" for split in SPLITS)
        test, official = row["instances"]["test"], row["official_test"]
        difference = "the same" if test == official else f"{test / official - 1:+.1%}"
        lines.append(f"{task:26} {row['found']:6d} {row['used']:6d} {counts}  {official:6d} ({difference})")
        lines += [f"    dropped {number}: {reason}" for reason, number in row["dropped"].items() if number]
    return lines


def _release_lines(report: Mapping[str, Any]) -> list[str]:
    return [f"{name}: {'; '.join(_release_parts(row))}" for name, row in report["releases"].items()]


def _release_parts(row: Mapping[str, Any]) -> Iterator[str]:
    matched, invalid, suspicious = row["scene_matched"], row["bad_rows"], row["odd_rows"]
    if row["scene_told"]:
        yield f"{row['scene_told']} excerpts tell their scene"
    if total := matched + row["scene_unmatched"]:
        yield f"{matched} of {total} matched by text ({matched / total:.1%})"
    if invalid:
        yield f"{len(invalid)} of {row['rows']} rows are broken, the first: {invalid[0]}"
    if suspicious:
        yield f"{len(suspicious)} rows are odd, the first: {suspicious[0]}"
    if row["missing_files"]:
        yield f"not there: {', '.join(row['missing_files'])}"


def _closing_lines(report: Mapping[str, Any]) -> list[str]:
    dialogues, official, names = report["dialogues"], report["official_split"], report["hidden_names"]
    counts = ", ".join(f"{split} {dialogues[split]} ({official[split]} by the official split)" for split in SPLITS)
    few_shot = ", ".join(f"{split} {number}" for split, number in report["few_shot"].items())
    return [
        f"dialogues: {counts}; few-shot: {few_shot}",
        f"pairs of dialogues in different splits that share a long line: {report['pairs_across_splits']}",
        f"hidden names of reading comprehension: {names['found']} of {names['of']} found in other releases",
    ]
