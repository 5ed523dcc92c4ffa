"""Draw the plan of a study or a sweep before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from dfwe.report.numbers import seconds_in_words, size_in_words
from dfwe.report.tables import MISSING, Cell, Column, number, tabulate, text
from dfwe.report.terminal.console import FittedTable

_LEAST_ESTIMATE = 1.0  # seconds: less is not an estimate where other stages are unknown


def draw_plan(plan: Mapping[str, Any]) -> RenderableType:
    """Return a row per kind of stage: needed, cached, to do, its time, disk, memory; then jobs that cannot run."""
    jobs = plan["jobs"]
    rows = [{**row, "name": name} for name, row in plan["rows"].items()]
    counts = {"needed": "needed", "there": "cached", "to_do": "to do"}
    columns = [
        Column("name", "", lambda row: text(row["name"]), is_numeric=False),
        *(Column(key, heading, _count(key)) for key, heading in counts.items()),
        Column("seconds", "time", lambda row: _estimate(row, "seconds", seconds_in_words)),
        Column("bytes", "disk", lambda row: _estimate(row, "bytes", size_in_words)),
        Column("memory", "memory", _memory),
        Column("separately", "without\nsharing", _count("separately")),
    ]
    table = tabulate("plan", rows, columns=columns, caption=f"Plan of {jobs} {'study' if jobs == 1 else 'studies'}")
    failed = [Text(f"job {job['job']} is not planned: {job['message']}") for job in plan.get("failed", ())]
    return Group(*([FittedTable(table)] if table else []), Text(_words(plan)), *_unresolved(plan), *failed)


def _count(key: str) -> Callable[[Mapping[str, Any]], Cell]:
    return lambda row: number(row[key])


def _estimate(row: Mapping[str, Any], key: str, write: Callable[[float], str]) -> Cell:
    if row["to_do"] == 0:
        return MISSING
    if row["unknown"] == row["to_do"] or (key == "bytes" and not row["bytes"]):
        return Cell("unknown")
    return Cell(write(row[key]) + (" + unknown" if row["unknown"] else ""), float(row[key]))


def _memory(row: Mapping[str, Any]) -> Cell:
    """Return the most that the models of a stage to do take."""
    memory = row["memory"]
    if row["to_do"] == 0:
        return MISSING
    return Cell("unknown") if memory is None else Cell(size_in_words(memory), float(memory))


def _unresolved(plan: Mapping[str, Any]) -> tuple[Text, ...]:
    unresolved, jobs = plan["undecided"], plan["jobs"]
    if not unresolved:
        return ()
    studies = "The study chooses" if jobs == 1 else f"{unresolved} of {jobs} studies choose"
    words = "sources, or what to merge, by results of these stages: what comes after is not in this plan."
    return (Text(f"{studies} {words}"),)


def _words(plan: Mapping[str, Any]) -> str:
    rows = plan["rows"].values()
    total = {key: sum(row[key] for row in rows) for key in ("to_do", "seconds", "bytes", "unknown", "alike")}
    if not total["to_do"]:
        resolved = " that is resolved yet" if plan["undecided"] else ""
        return f"Everything{resolved} is in the store: nothing will be trained, merged or evaluated."
    if total["unknown"] == total["to_do"] or (total["unknown"] and total["seconds"] < _LEAST_ESTIMATE):
        return "How long it takes is unknown: the store has no card of a similar stage."
    rest = f", and {total['unknown']} stages of unknown length and size" if total["unknown"] else ""
    time, disk = seconds_in_words(total["seconds"]), size_in_words(total["bytes"])
    return (
        f"About {time} of stages, one after the other, and {disk} on disk{rest}. From the cards of earlier stages "
        f"of the same parent, for {total['alike']} of {total['to_do']} on the same tasks and data."
    )
