"""Build the table of a merge by study: its lead over each model that it must beat, and whether the experts average."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from dfwe.report.columns import DELTA, MERGE_COLUMNS, TEST
from dfwe.report.sweep.jobs import JobResult
from dfwe.report.sweep.paper_table import in_paper_order
from dfwe.report.tables import Cell, Column, ReportTable, difference, tabulate

_KEYS = ("selection", "delta_to/equally_trained", "delta_to/best_expert", "delta_to/uniform")
_NOTES = (
    "Δ: its test score less another model's, with 95% intervals over the test split. Barrier: how much less the middle "
    "between two experts scores than they do, the median over pairs. A small dev split overstates it, and what the "
    "uniform merge loses."
)


def studies_table(by_target: Mapping[str, Sequence[JobResult]], *, merge: str, place: int = 0) -> ReportTable | None:
    """Return a row per study of one target; None of one study alone, whose own tables have more."""
    jobs = [job for target in in_paper_order(by_target) for job in sorted(by_target[target], key=lambda job: job.seed)]
    if len(jobs) < 2 or not any(job.row.get("against") for job in jobs):
        return None
    caption = f"{merge} by study, times 100."
    return tabulate(f"studies-{place}", jobs, columns=list(_columns()), caption=caption, notes=_NOTES)


def _columns() -> Iterator[Column]:
    yield Column("study", "target, seed", lambda job: Cell(f"{job.short}, {job.seed}"), is_numeric=False)
    of_merge = {column.key: column for column in MERGE_COLUMNS}
    yield _of_row(TEST)
    yield replace(_of_row(DELTA), heading="Δ\nbaseline")
    yield from (_of_row(of_merge[key]) for key in _KEYS)
    yield replace(_of_row(of_merge["median_barrier"]), heading="barrier,\ndev")
    yield Column("uniform_minus_baseline", "uniform less\nbaseline, dev", _loss, is_optional=True)


def _of_row(column: Column) -> Column:
    return replace(column, cell=lambda job: column.cell(job.row))


def _loss(job: JobResult) -> Cell:
    return difference({"delta": job.connectedness.get("uniform_minus_baseline")})
