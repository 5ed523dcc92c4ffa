"""Report what the jobs of sweeps say together: their tables in several forms, and their pictures."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.text import Text

from dfwe.controls import without_controls
from dfwe.report.run_folder import readable_results
from dfwe.report.sweep.jobs import JobResult, by_merge, by_sources, distinct, has_numbers, of_sweep
from dfwe.report.sweep.matrix_table import matrix_table
from dfwe.report.sweep.paper_table import paper_table
from dfwe.report.sweep.rows import RowScores, row_scores
from dfwe.report.sweep.rows_table import ROWS, rows_table
from dfwe.report.sweep.runs import check_same_tests, read_jobs, read_runs
from dfwe.report.sweep.studies_table import studies_table
from dfwe.report.sweep.tables import number_table, seeds_table, sources_table
from dfwe.report.tables import ReportTable, markdown
from dfwe.report.terminal.console import FittedTable, show_plain

PICTURES = "pictures"  # the folder of a sweep's pictures, below its own


@dataclass(frozen=True)
class Sweep:
    """Hold what was read of runs: their merges, their rows over targets and seeds, and what was left out and why."""

    jobs: Sequence[JobResult]
    rows: Sequence[RowScores] = ()
    left_out: Sequence[str] = ()

    @cached_property
    def tables(self) -> list[ReportTable]:
        """The tables that the jobs allow."""
        headlines = of_sweep(self.jobs)
        tables: list[ReportTable | None] = [rows_table(self.rows)]
        for place, (merge, by_target) in enumerate(by_merge(headlines)):
            for target, group in by_target.items():
                if has_numbers(group):
                    tables.append(number_table(target, jobs=group, merge=merge))
                elif len(by_sources(group)) > 1:
                    tables.append(sources_table(target, jobs=group, merge=merge))
            if self.rows:
                tables.append(studies_table(by_target, merge=merge, place=place))
            if len(by_target) > 1:
                tables.append(paper_table(by_target, merge=merge, place=place))
        return list(filter(None, [*tables, matrix_table(distinct(self.jobs)), seeds_table(headlines)]))


def report_sweep(*folders: Path, form: str = "terminal", console: Console | None = None) -> None:
    """Print the tables of finished runs; but as CSV or JSON, write their pictures into the first folder, too.

    Raises:
        DataError: no results there, results that cannot be read, or those of one target on different test instances.
    """
    sweep = read_sweep(*folders)
    with readable_results(folders[0]):
        if not (sweep.left_out or sweep.tables):
            print("nothing to compare: `dfwe report markdown FOLDER` has the tables of one study", file=sys.stderr)
        if form == "terminal":
            show_plain(draw_sweep(sweep), console=console)
            for path, _ in _write_pictures(sweep, folder=folders[0]):
                print(f"picture: {path}")
        else:
            print(without_controls(FORMS[form](sweep, folders[0])), end="")


def read_sweep(*folders: Path) -> Sweep:
    """Read the runs at or below the folders, such as a sweep's, multirun/<date>/<time>, or collected results."""
    runs, broken = read_runs(folders)
    check_same_tests(runs, of_equal_settings=len(folders) == 1)  # settings of one sweep may make several test sets
    jobs, unscored = read_jobs(runs)
    paths = {job.path for job in jobs}
    unscored += [
        f"{path}: no merge was scored beside a baseline, so it has baselines' rows alone"
        for path in sorted(paths - {job.path for job in jobs if job.is_of_sweep})
    ]
    with readable_results(folders[0]):
        rows = row_scores(run for run in runs if run.path in paths)
    return Sweep(jobs, rows, [*broken, *unscored])


def draw_sweep(sweep: Sweep) -> RenderableType:
    """Return the tables for a terminal, and which jobs were left out."""
    parts = [part for table in sweep.tables for part in (FittedTable(table), Text(table.notes))]
    return Group(*parts, *(Text(f"left out: {reason}") for reason in sweep.left_out))


def _as_markdown(sweep: Sweep, folder: Path) -> str:
    parts = [markdown(table) + (f"\n{table.notes}\n" if table.notes else "") for table in sweep.tables]
    parts += [f"![{alt}]({path.as_posix()})\n" for path, alt in _write_pictures(sweep, folder=folder)]
    return "\n".join([*parts, *(f"Left out: {reason}\n" for reason in sweep.left_out)])


def _as_csv(sweep: Sweep, folder: Path) -> str:
    """Write the table over targets and seeds, scores as fractions; stderr has what is left out."""
    for reason in sweep.left_out:
        print(f"left out: {reason}", file=sys.stderr)
    table = next((table for table in sweep.tables if table.id == ROWS), None)
    if table is None:
        print("one study has no table over targets and seeds: --format json has the tables of one", file=sys.stderr)
        return ""
    records = _records(table)
    keys = list(dict.fromkeys(key for record in records for key in record))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, keys, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return buffer.getvalue()


def _as_json(sweep: Sweep, folder: Path) -> str:
    tables = [
        {"id": table.id, "caption": table.caption, "rows": _records(table), "notes": table.notes}
        for table in sweep.tables
    ]
    return json.dumps({"tables": tables, "left_out": list(sweep.left_out)}, indent=2, ensure_ascii=False) + "\n"


def _records(table: ReportTable) -> list[dict[str, Any]]:
    """Return rows by the columns' keys: numbers exact, with the ends of their intervals, and texts with their details.

    The details of a text are what a page shows below it, such as a merge's target and settings.
    """
    records = []
    for row in table.lines:
        record: dict[str, Any] = {"setting": row.group} if row.group else {}
        for column, cell in zip(table.columns, row.cells, strict=True):
            if cell.value is not None or not column.is_numeric:
                record[column.key] = cell.text if cell.value is None else cell.value
            if cell.small not in ("", row.group) and not column.is_numeric:
                record[f"{column.key}_details"] = cell.small
            if cell.ends is not None:
                record[f"{column.key}_low"], record[f"{column.key}_high"] = cell.ends
        records.append(record)
    return records


FORMS: Mapping[str, Callable[[Sweep, Path], str]] = MappingProxyType(
    {"markdown": _as_markdown, "csv": _as_csv, "json": _as_json}
)


def _write_pictures(sweep: Sweep, *, folder: Path) -> Iterator[tuple[Path, str]]:
    """Write each picture as PNG and SVG, and yield the path of the PNG with what is seen on it."""
    from dfwe.report.figures.style import save  # matplotlib: a second
    from dfwe.report.figures.sweep import sweep_figures

    for named in sweep_figures(of_sweep(sweep.jobs), rows=sweep.rows):
        yield save(named.figure, folder=folder / PICTURES, name=named.name)[0], f"{named.title}. {named.caption}"
