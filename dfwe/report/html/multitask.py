"""The page of a study of models with heads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dfwe.report.heads import as_study
from dfwe.report.html.answer import answer, forest
from dfwe.report.html.cells import (
    NOTHING,
    Cell,
    Column,
    PageTable,
    Row,
    difference,
    number,
    p_value,
    score,
    text,
)
from dfwe.report.html.details import reproduce
from dfwe.report.html.learning import classes, learning
from dfwe.report.html.models import cost_table, health_table, seconds_table
from dfwe.report.html.section import PagePicture, Section
from dfwe.report.multitask_differences import best_on_dev, claim, of_mean
from dfwe.report.names import name_of, names_of
from dfwe.report.numbers import P_BY, confirm_note
from dfwe.report.run_folder import Run
from dfwe.report.written import written

Found = Mapping[str, Any]
_SMALL = (
    "Small numbers are 95% bootstrap intervals, over test instances. They are of one seed and say nothing of how seeds "
    "differ: sweep seed=0,1,2 for that."
)


def multitask_sections(run: Run, pictures: Mapping[str, Sequence[PagePicture]]) -> Iterator[Section]:
    """Yield the answer, what was asked, tables, curves, what was kept, the searches, labels, cost, the command."""
    results = run.results
    found = (
        _answer(run),
        _asked(results),
        Section(
            "table", "All models", tables=[_table(results, "test"), *_differences(results), _table(results, "dev")]
        ),
        learning(results, pictures=pictures.get("learning", [])),
        *_merges(run),
        classes(run),
        _cost(run),
        reproduce({**results, "data": {"tasks": results.get("data", {})}}),
    )
    yield from (section for section in found if section is not None)


def _answer(run: Run) -> Section | None:
    """The model to ship; of results of an earlier format the best on dev."""
    plain, others = Run(run.path, as_study(run.results)), "the single-task models"
    if run.results.get("recommended"):
        return answer(plain, asked=None, others=others)
    best = best_on_dev(run.results)
    if best is None or best.get("test", {}).get("mean") is None:
        return None
    return replace(_headline(best), forest=forest(plain, asked=None, others=others))


def _asked(results: Found) -> Section:
    columns, names = dict(results["columns"]), names_of(results["rows"])
    line = "One encoder with a head for each task, and merges of the models that are worth it."
    facts = [
        ("tasks", written(columns)),
        ("model", str(results.get("model", "not said"))),
        ("instances", written(results.get("n", {}))),
        ("merged models", written({f"Model {n}": names.get(c, c) for n, c in enumerate(results["candidates"], 1)})),
        ("seed", str(results["seed"])),
    ]
    return Section("asked", "What was asked", [line], facts=facts)


def _merges(run: Run) -> Iterator[Section]:
    """What merges kept, and how they were searched for."""
    weights = [row for row in run.rows("merge") if row.get("coefficients")]
    searched = [row for row in weights if row.get("health", {}).get("evaluated", 0) > 1]
    searches = [table for table in (_searches(weights), health_table(searched)) if table is not None]
    if searches:
        yield Section("search", "The searches", tables=searches)
    if weights:
        yield Section("weights", "Coefficients", tables=[_coefficients(weights)])


def _cost(run: Run) -> Section:
    made = [table for table in (cost_table(run), seconds_table(run.results.get("seconds", {}))) if table is not None]
    return Section("cost", "Cost", [] if made else ["Everything lay in the store already."], tables=made)


def _headline(best: Found) -> Section:
    """The best on dev: its mean on test and what it differs by."""
    ends, found = best["test"].get("intervals", {}), of_mean(best)
    figures = [("mean on test", score(best["test"]["mean"], ends=ends.get("mean")))]
    if found:
        delta = difference(found["delta"], ends=found["delta_interval"])
        figures.append(("difference to the single-task models", delta))
        figures.append((f"p by {P_BY[found['p_by']]}", p_value(found["p"])))
    words = f", compared with the single-task models: {claim(found)}" if found else ""
    lines = [f"The best on dev is {name_of(best)}{words}."]
    lines += [confirm_note(best["confirm"])] if "confirm" in best else []
    lines += [_SMALL] if ends else []
    return Section("answer", "Answer", lines, figures=figures)


def _table(results: Found, split: str) -> PageTable:
    columns = [Column("model", numeric=False), Column("mean"), *(Column(column) for column in results["columns"])]
    rows = []
    for found in results["rows"]:
        scores = found.get(split)
        cells = [_name(found)]
        if scores is None:
            cells += [Cell(NOTHING)] * (1 + len(results["columns"]))
        else:
            ends, tasks = scores.get("intervals", {}), scores["tasks"]
            cells.append(score(scores["mean"], ends=ends.get("mean")))
            cells += [
                score(tasks[name], ends=ends.get("tasks", {}).get(name)) if name in tasks else Cell(NOTHING)
                for name in results["columns"]
            ]
        rows.append(Row(cells))
    small = (
        " Small: 95% interval over test instances."
        if any("intervals" in r.get(split, {}) for r in results["rows"])
        else ""
    )
    return PageTable(split, columns, rows, f"Scores on {split}, times 100.{small}")


def _differences(results: Found) -> list[PageTable]:
    """One table: test scores less those of the single-task models; none where nothing was compared."""
    known = [row for row in results["rows"] if row.get("against_single", {}).get("tasks")]
    columns = [Column("model", numeric=False), Column("Δ mean"), Column("p", note="two-sided, of the mean")]
    for column in results["columns"]:
        columns += [
            Column(f"Δ {column}"),
            Column("p", note=f"of {column}, two-sided, corrected by Holm over the tasks"),
        ]
    columns.append(Column("optimism", note="mean on dev at the search less the mean on test"))
    rows = [Row([_name(row), *_compared(row, tasks=list(results["columns"]))]) for row in known]
    others = ", ".join(known[0]["against_single"]["others"].values()) if known else ""
    caption = (
        f"Test scores less those of the single-task models ({others}), each on its own task; times 100. "
        "Small: 95% interval over test instances. p of a task is corrected over the tasks (Holm)."
    )
    return [PageTable("differences", columns, rows, caption)] if known else []


def _compared(row: Found, *, tasks: Sequence[str]) -> Iterator[Cell]:
    against = row["against_single"]
    for found, p in [(of_mean(row), "p"), *((against["tasks"].get(task, {}), "p_holm") for task in tasks)]:
        yield difference(found.get("delta"), ends=found.get("delta_interval"))
        yield p_value(found.get(p))
    yield difference(row.get("optimism"))


def _searches(rows: Sequence[Found]) -> PageTable | None:
    """What each merge kept, of how many evaluations; None where results do not say."""
    known = [row for row in rows if "evaluations" in row]
    columns = [
        Column("merge", numeric=False),
        Column("kept", numeric=False, note="how the coefficients were chosen"),
        Column("mean on dev"),
        Column("evaluations"),
        Column("seconds"),
    ]
    cells = [
        Row(
            [
                text(name_of(row)),
                text(row["picked"]),
                score(row["dev"]["mean"]),
                number(row["evaluations"]),
                number(row["seconds"], digits=1),
            ]
        )
        for row in known
    ]
    return PageTable("merges", columns, cells, "Merges; scores times 100.") if known else None


def _name(found: Found) -> Cell:
    return Cell(name_of(found), small=str(found["kind"]))


def _coefficients(rows: Sequence[Found]) -> PageTable:
    names = list(dict.fromkeys(name for row in rows for name in row["coefficients"]))
    columns = [Column("merge", numeric=False), *(Column(name) for name in names)]
    cells = [
        Row([text(name_of(row)), *(number(row["coefficients"].get(name), digits=3) for name in names)]) for row in rows
    ]
    return PageTable("coefficients", columns, cells, "Coefficients that were kept.")
