"""Report on the releases, as JSON values and as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dfwe.data.friends.annotations import OFFICIAL_TEST, TASKS
from dfwe.data.friends.build import Tally
from dfwe.data.friends.excerpt import Reading
from dfwe.data.friends.prepare import Prepared
from dfwe.data.friends.split import SPLITS, OfficialSplit


def summary(prepared: Prepared, *, official: OfficialSplit) -> dict[str, Any]:
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


def text(report: Mapping[str, Any]) -> str:
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
    lines = []
    for name, row in report["releases"].items():
        sought = row["scene_matched"] + row["scene_unmatched"]
        parts = [f"{row['scene_told']} excerpts tell their scene"] if row["scene_told"] else []
        if sought:
            parts.append(f"{row['scene_matched']} of {sought} matched by text ({row['scene_matched'] / sought:.1%})")
        if row["bad_rows"]:
            parts.append(f"{len(row['bad_rows'])} of {row['rows']} rows are broken, the first: {row['bad_rows'][0]}")
        if row["odd_rows"]:
            parts.append(f"{len(row['odd_rows'])} rows are odd, the first: {row['odd_rows'][0]}")
        if row["missing_files"]:
            parts.append(f"not there: {', '.join(row['missing_files'])}")
        lines.append(f"{name}: {'; '.join(parts)}")
    return lines


def _closing_lines(report: Mapping[str, Any]) -> list[str]:
    dialogues, official, names = report["dialogues"], report["official_split"], report["hidden_names"]
    counts = ", ".join(f"{split} {dialogues[split]} ({official[split]} by the official split)" for split in SPLITS)
    few_shot = ", ".join(f"{split} {number}" for split, number in report["few_shot"].items())
    return [
        f"dialogues: {counts}; few-shot: {few_shot}",
        f"pairs of dialogues in different splits that share a long line: {report['pairs_across_splits']}",
        f"hidden names of reading comprehension: {names['found']} of {names['of']} found in other releases",
    ]
