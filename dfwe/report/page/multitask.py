"""The page of a study of models with heads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dfwe.report.page.cells import NOTHING, Cell, Column, PageTable, Row, number, score, text
from dfwe.report.page.details import reproduce
from dfwe.report.page.models import seconds_table
from dfwe.report.page.section import Section
from dfwe.report.run_folder import Run


def multitask_sections(run: Run) -> Iterator[Section]:
    """What was asked, the tables, what was kept, cost, how to reproduce it."""
    results = run.results
    columns = ", ".join(f"{column} ({task})" for column, task in results["columns"].items())
    line = f"One encoder with a head a task, trained on {columns}, and merges of the models that are worth it."
    yield Section("asked", "What was asked", [line, f"Merged were: {', '.join(results['candidates']) or 'none'}."])
    yield Section("table", "All models", tables=[_table(results, split) for split in ("test", "dev")])
    weights = [row for row in results["rows"] if row.get("coefficients")]
    if weights:
        yield Section("weights", "Coefficients", tables=[_coefficients(weights)])
    made = seconds_table(results.get("seconds", {}))
    yield Section(
        "cost", "Cost", [] if made else ["Everything lay in the store already."], tables=[made] if made else ()
    )
    yield reproduce({**results, "data": {"tasks": results.get("data", {})}})


def _table(results: Mapping[str, Any], split: str) -> PageTable:
    columns = [Column("model", numeric=False), Column("kind", numeric=False), Column("mean")]
    columns += [Column(column) for column in results["columns"]]
    rows = []
    for found in results["rows"]:
        scores = found.get(split)
        cells = [text(found.get("title", found["name"])), text(found["kind"])]
        if scores is None:
            cells += [Cell(NOTHING)] * (1 + len(results["columns"]))
        else:
            cells.append(score(scores["mean"]))
            tasks = scores["tasks"]
            cells += [score(tasks[name]) if name in tasks else Cell(NOTHING) for name in results["columns"]]
        rows.append(Row(cells))
    return PageTable(split, columns, rows, f"Scores on {split}, times 100.")


def _coefficients(rows: list[Mapping[str, Any]]) -> PageTable:
    names = list(dict.fromkeys(name for row in rows for name in row["coefficients"]))
    columns = [Column("model", numeric=False), *(Column(row.get("title", row["name"])) for row in rows)]
    cells = [Row([text(name), *(number(row["coefficients"].get(name), digits=3) for row in rows)]) for name in names]
    return PageTable("coefficients", columns, cells, "Coefficients that were kept.")
