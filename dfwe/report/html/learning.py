"""How trainings went, and on which labels models are good: learning curves, and F1 by label."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dfwe.report.curves import curves_of
from dfwe.report.html.cells import NOTHING, Cell, Column, PageTable, Row, number, score, text
from dfwe.report.html.section import PagePicture, Section
from dfwe.report.names import names_of
from dfwe.report.run_folder import Run

Found = Mapping[str, Any]


def learning(results: Found, *, pictures: Sequence[PagePicture]) -> Section | None:
    """Return the part with the learning curves of every training; None where results do not have them."""
    if not pictures:
        return None
    lines = [f"{len(list(curves_of(results)))} trainings, each with its dev scores and the epoch that was kept."]
    note = "The dev scores after each epoch of every training."
    return Section("learning", "Learning curves", lines, pictures=pictures, note=note)


def classes(run: Run) -> Section | None:
    """Return the part with each label's F1 for each model; None where a study has no labels."""
    tables = list(_tables(run))
    note = "Where a score comes from: F1 of each label on test."
    return Section("classes", "F1 by label", tables=tables, note=note) if tables else None


def _tables(run: Run) -> Iterator[PageTable]:
    found: Found = run.results.get("classes") or {}
    names = names_of(run.rows())
    for place, (task, of) in enumerate(found.items()):
        models = list(of["f1"])
        columns = [Column("label", numeric=False), Column("n", note="test instances with this gold label")]
        columns += [Column(names.get(model, model)) for model in models]
        rows = [
            Row([text(label), number(num), *(_f1(of["f1"][model][label]) for model in models)])
            for label, num in of["gold"].items()
        ]
        caption = f"F1 of each label of {task} on test, times 100; – is a label that is neither gold nor answered."
        yield PageTable(f"classes-{place}", columns, rows, caption)


def _f1(value: float | None) -> Cell:
    return Cell(NOTHING) if value is None else score(value)
