"""Print the tables of a sweep: the paper's Table 2, the sets of sources, the score by their number, seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.text import Text

from dfwe.report.run_folder import readable_results
from dfwe.report.sweep.jobs import (
    JobResult,
    by_merge,
    by_sources,
    distinct,
    has_numbers,
    of_sweep,
    scores_by_number,
)
from dfwe.report.sweep.runs import read_jobs, read_runs
from dfwe.report.sweep.tables import matrix_table, number_table, paper_table, seeds_table, sources_table
from dfwe.report.tables import ReportTable
from dfwe.report.terminal.console import FittedTable, show_plain

FIGURE = "score_by_number_of_sources"


def report_sweep(folder: Path, *, console: Console | None = None) -> None:
    """Print the tables of a finished sweep, and draw its picture into its folder where it has numbers of sources.

    Raises:
        DataError: no results there, or results that cannot be read.
    """
    jobs, left_out = read_sweep(folder)
    with readable_results(folder):
        show_plain(draw_sweep(jobs, left_out=left_out), console=console)
        for place, (merge, by_target) in enumerate(by_merge(of_sweep(jobs))):
            counted = {target: group for target, group in by_target.items() if has_numbers(group)}
            if counted:
                name = FIGURE if place == 0 else f"{FIGURE}_{merge}"
                print(f"picture: {_draw(counted, merge=merge, folder=folder, name=name)}")


def read_sweep(folder: Path) -> tuple[list[JobResult], list[str]]:
    """Read the jobs of a sweep's folder, multirun/<date>/<time>, and why others are left out."""
    runs, broken = read_runs([folder])
    jobs, unscored = read_jobs(runs)
    without_headline = {job.path for job in jobs} - {job.path for job in jobs if job.is_of_sweep}
    unscored += [f"{path}: no merge was scored beside a baseline" for path in sorted(without_headline)]
    return jobs, [*broken, *unscored]


def draw_sweep(jobs: Sequence[JobResult], *, left_out: Sequence[str] = ()) -> RenderableType:
    """Return the tables that the jobs allow, and which jobs were left out."""
    parts: list[RenderableType] = []
    for table in _tables(jobs):
        parts += [FittedTable(table), Text(table.notes)]
    return Group(*parts, *(Text(f"left out: {reason}") for reason in left_out))


def _draw(by_target: Mapping[str, Sequence[JobResult]], *, merge: str, folder: Path, name: str) -> Path:
    from dfwe.report.figures.style import save  # matplotlib: a second, where no picture is drawn
    from dfwe.report.figures.sweep import draw_numbers

    return save(draw_numbers(scores_by_number(by_target), merge=merge), folder=folder, name=name)[0]


def _tables(jobs: Sequence[JobResult]) -> Iterator[ReportTable]:
    headlines = of_sweep(jobs)
    tables: list[ReportTable | None] = []
    for merge, by_target in by_merge(headlines):
        for target, group in by_target.items():
            if has_numbers(group):
                tables.append(number_table(target, jobs=group, merge=merge))
            elif len(by_sources(group)) > 1:
                tables.append(sources_table(target, jobs=group, merge=merge))
        if len(by_target) > 1:
            tables.append(paper_table(by_target, merge=merge))
    tables += [matrix_table(distinct(jobs)), seeds_table(headlines)]
    yield from (table for table in tables if table is not None)
