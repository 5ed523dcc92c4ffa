"""The plan of a study or a sweep, as people read it before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from dfwe.report.numbers import seconds_in_words, size_in_words
from dfwe.report.terminal.fitted_table import FittedTable

_TELLING = 1.0  # seconds: less is no estimate where other stages are unknown


def draw_plan(plan: Mapping[str, Any]) -> RenderableType:
    """A row a kind of stage: needed, there already, to do, and what that will take; then jobs that cannot run."""
    jobs = plan["jobs"]
    table = FittedTable(title=f"Plan of {jobs} {'study' if jobs == 1 else 'studies'}", title_justify="left")
    table.add_column("", no_wrap=True)
    for heading in ("needed", "there", "to do", "time", "disk", "without\nsharing"):
        table.add_column(heading, justify="right")
    for name, row in plan["rows"].items():
        counts = (str(row[key]) for key in ("needed", "there", "to_do"))
        table.add_row(name, *counts, _time(row), _disk(row), str(row["separately"]))
    failed = [Text(f"job {each['job']} is not planned: {each['message']}") for each in plan.get("failed", ())]
    return Group(table, Text(_words(plan)), *_undecided(plan), *failed)


def _undecided(plan: Mapping[str, Any]) -> tuple[Text, ...]:
    undecided, jobs = plan["undecided"], plan["jobs"]
    if not undecided:
        return ()
    of = "The study chooses" if jobs == 1 else f"{undecided} of {jobs} studies choose"
    return (Text(f"{of} sources, or what to merge, by results of these stages: what comes after is not in this plan."),)


def _words(plan: Mapping[str, Any]) -> str:
    rows = plan["rows"].values()
    total = {key: sum(row[key] for row in rows) for key in ("to_do", "seconds", "bytes", "unknown", "alike")}
    if not total["to_do"]:
        known = " that is known yet" if plan["undecided"] else ""
        return f"Everything{known} is in the store: nothing will be trained, merged or evaluated."
    if total["unknown"] == total["to_do"] or (total["unknown"] and total["seconds"] < _TELLING):
        return "How long it takes is unknown: no card in the store tells of a like stage."
    left = f", and {total['unknown']} stages of unknown length and size" if total["unknown"] else ""
    time, disk = seconds_in_words(total["seconds"]), size_in_words(total["bytes"])
    return (
        f"About {time} of stages, one after the other, and {disk} on disk{left}. From the cards of earlier stages "
        f"of the same parent, for {total['alike']} of {total['to_do']} on the same tasks and data."
    )


def _time(row: Mapping[str, Any]) -> str:
    if row["to_do"] == 0:
        return "–"
    if row["unknown"] == row["to_do"]:
        return "unknown"
    return seconds_in_words(row["seconds"]) + (" + unknown" if row["unknown"] else "")


def _disk(row: Mapping[str, Any]) -> str:
    if row["to_do"] == 0:
        return "–"
    if row["unknown"] == row["to_do"] or not row["bytes"]:
        return "unknown"
    return size_in_words(row["bytes"]) + (" + unknown" if row["unknown"] else "")
