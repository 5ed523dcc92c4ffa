"""The page's other parts: the search, the coefficients, errors worth reading, the cost, how to reproduce it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dfwe.report.figures.study_figures import MOST_MERGES, shown_merges
from dfwe.report.html.cells import NOTHING, Cell, Column, PageTable, Row, number, text
from dfwe.report.html.models import cost_table, health_table, seconds_table
from dfwe.report.html.section import Case, Cases, Code, PagePicture, Section
from dfwe.report.names import expert_name, name_of
from dfwe.report.run_folder import Run
from dfwe.report.written import written
from dfwe.values.names import UNIFORM

LONGEST = 4000  # letters of an instance's text: the page stays readable, and below 5 MB

Shown = Sequence[PagePicture]


def search(run: Run, *, pictures: Shown) -> Section:
    """Traces, health, and what should make one doubt."""
    searched = shown_merges(run)
    lines = []
    if not pictures:
        lines.append("No search's trials to show: nothing was searched, or no trial was kept.")
    if len(run.rows("merge")) > MOST_MERGES + 1:
        lines.append(f"Pictures show {MOST_MERGES} merges, the one that was asked for and the best on dev.")
    health = health_table(run.rows("merge"))
    tables = [health] if health is not None and searched else []
    return Section("search", "The search", lines, warnings=_warnings(run), tables=tables, pictures=pictures)


def coefficients(run: Run, *, pictures: Shown) -> Section | None:
    """What was kept, as numbers and bars; None where nothing has coefficients."""
    merges = [row for row in shown_merges(run) if row["coefficients"]]
    if not merges:
        return None
    names = list(dict.fromkeys(name for row in merges for name in row["coefficients"]))
    columns = [Column("expert", numeric=False), *(Column(name_of(row)) for row in merges)]
    rows = [
        Row([text(expert_name(name)), *(_coefficient(row["coefficients"].get(name)) for row in merges)])
        for name in names
    ]
    table = PageTable("coefficients", columns, rows, "Coefficients that were kept.")
    return Section("weights", "Coefficients", tables=[table], pictures=pictures)


def errors(run: Run, *, pictures: Shown) -> Section | None:
    """Instances that the merge fixed or broke against the baseline, and confusion matrices; None without either."""
    found = run.results.get("examples") or {}
    groups = []
    for key, words in (("fixed", "right where {} was wrong"), ("broke", "wrong where {} was right")):
        cases = [_case(each) for each in found.get(key, ())]
        if cases:
            total = found.get(f"num_{key}", len(cases))
            shown = f"{len(cases)} of {total}" if total > len(cases) else str(total)
            title = f"{key.capitalize()}: {found['merge']} is {words.format(found['against'])} ({shown})"
            groups.append(Cases(title, key == "fixed", found["against"], found["merge"], cases))
    lines = [] if not found else [_changed(found)]
    if not groups and not pictures and not lines:
        return None
    return Section("errors", "Errors worth reading", lines, pictures=pictures, cases=groups)


def cost(run: Run) -> Section:
    """What it took, beside plain fine-tuning."""
    found = [table for table in (cost_table(run), seconds_table(run.results.get("seconds", {}))) if table is not None]
    lines = [] if found else ["Everything lay in the store already."]
    return Section("cost", "Cost", lines + _probes(run.results.get("probes") or {}), tables=found)


def _probes(costs: Mapping[str, Any]) -> list[str]:
    """What was asked beside the models themselves."""
    if not costs:
        return []
    each = " and ".join(f"{number(cost['dev_answers']).text} by {name}" for name, cost in costs.items())
    return [f"Beside what the models need, probes asked for answers on dev: {each}."]


def reproduce(results: Mapping[str, Any]) -> Section:
    """The command, seeds, versions and digests."""
    facts = {
        "seed": results.get("seed", NOTHING),
        "parent": results.get("parent", NOTHING),
        "precision": results.get("precision", NOTHING),
        **{f"{name} (version)": version for name, version in results.get("versions", {}).items()},
    }
    rows = [Row([text(name), text(written(value))]) for name, value in facts.items()]
    tables = [
        PageTable("facts", [Column("what", numeric=False), Column("is", numeric=False)], rows, "What made the numbers.")
    ]
    data = results.get("data", {}).get("tasks", {})
    if data:
        tables.append(_data_table(data))
    command = results.get("command", "")
    lines = ["The same command again trains nothing twice: what it needs lies in the store."] if command else []
    return Section(
        "reproduce", "How to reproduce it", lines, tables=tables, code=[Code("The command", command)] if command else []
    )


def _warnings(run: Run) -> list[str]:
    """A search that did not move, and what rules noted."""
    found = []
    for row in run.rows("merge"):
        health = row.get("health") or {}
        if row["name"] != UNIFORM and health.get("evaluated", 0) > 1 and health.get("distinct_scores") == 1:
            found.append(
                f"{name_of(row)} did not move: all {health['evaluated']} candidates have the same dev score. Larger "
                "steps (merge.search.step) or more dev instances may tell candidates apart."
            )
        for what, value in (row.get("notes") or {}).items():
            found.append(f"{name_of(row)}, {str(what).replace('_', ' ')}: {written(value)}")
    return found


def _coefficient(value: float | int | None) -> Cell:
    return Cell(NOTHING) if value is None else number(value, digits=3)


def _case(found: Mapping[str, Any]) -> Case:
    source = found["source"] if len(found["source"]) <= LONGEST else f"… {found['source'][-LONGEST:]}"
    return Case(found["instance_id"], source, " | ".join(found["gold"]), found["before"], found["after"])


def _changed(found: Mapping[str, Any]) -> str:
    fixed, broke = found.get("num_fixed", 0), found.get("num_broke", 0)
    return f"Of the test instances, {found['merge']} fixed {fixed} and broke {broke} against {found['against']}."


def _data_table(tasks: Mapping[str, Mapping[str, Any]]) -> PageTable:
    columns = [
        Column("task", numeric=False),
        Column("corpus", numeric=False, note="the first 16 digits of its sha256"),
        Column("shots", numeric=False),
        Column("rows left out", note="broken rows of its files"),
    ]
    rows = [
        Row(
            [
                text(name),
                text(data.get("corpus", NOTHING)[:16]),
                text(written(data.get("shots", NOTHING))),
                number(_bad(data)),
            ]
        )
        for name, data in tasks.items()
    ]
    return PageTable("data", columns, rows, "The data, by digest.")


def _bad(data: Mapping[str, Any]) -> int:
    return len(data.get("bad_rows", ()))
