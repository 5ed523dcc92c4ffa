"""Merges by targets: what each method's best mixture is worth on each task, and where it kept one expert instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.text import Text

from dfwe.report.sweep.jobs import JobResult
from dfwe.report.sweep.published import TABLE_2
from dfwe.report.terminal.fitted_table import FittedTable

EXPLAINED = (
    "Best mixture, experts apart, less the baseline on test, times 100; means over the jobs of a merge and target. "
    "= marks merges that kept one expert as it is, (=) those that did in some of their jobs."
)


@dataclass(frozen=True)
class Place:
    """A merge on a target: means over its jobs, as differences to the baseline on test; and how many kept an expert."""

    mixture: float
    kept: float
    dev: float  # of the best mixture
    num_jobs: int
    num_experts: int

    @classmethod
    def of(cls, jobs: Sequence[JobResult]) -> Place:
        """That of at least one job."""
        return cls(
            fmean(job.mixture_test - job.baseline for job in jobs),
            fmean(job.delta for job in jobs),
            fmean(job.mixture_dev for job in jobs),
            len(jobs),
            sum(job.expert is not None for job in jobs),
        )

    @property
    def mark(self) -> str:
        """`=` where every job kept an expert, `(=)` where some did."""
        if not self.num_experts:
            return ""
        return "=" if self.num_experts == self.num_jobs else "(=)"


@dataclass(frozen=True)
class Matrix:
    """The merges in groups of equal budgets, in each the best on dev first; the targets in the paper's order."""

    targets: tuple[str, ...]
    rows: tuple[tuple[int | None, str, dict[str, Place]], ...]  # budget, merge, places by target

    @classmethod
    def of(cls, jobs: Sequence[JobResult]) -> Matrix | None:
        """That of merges' jobs; None unless there are several merges and several targets."""
        cells: dict[tuple[int | None, str], dict[str, list[JobResult]]] = {}
        for job in jobs:
            cells.setdefault((job.budget, job.merge), {}).setdefault(job.target, []).append(job)
        found = {job.target for job in jobs}
        targets = tuple([name for name in TABLE_2 if name in found] + sorted(found - set(TABLE_2)))
        if len({merge for _, merge in cells}) < 2 or len(targets) < 2:
            return None
        rows = [
            (budget, merge, {target: Place.of(each) for target, each in by_target.items()})
            for (budget, merge), by_target in cells.items()
        ]
        return cls(targets, tuple(sorted(rows, key=lambda row: (-(row[0] or 0), -mean_of(row[2], "dev")))))


def mean_of(places: dict[str, Place], what: str) -> float:
    """The mean over targets."""
    return fmean(getattr(place, what) for place in places.values())


def matrix_table(jobs: Sequence[JobResult]) -> RenderableType | None:
    """Merges by targets for the terminal; None unless there are several of both."""
    matrix = Matrix.of(jobs)
    if matrix is None:
        return None
    title = "Merges by targets: the best mixture less the baseline on test"
    table = FittedTable(title=title, title_justify="left", box=SIMPLE, padding=(0, 0, 0, 1), pad_edge=False)
    table.add_column("merge", overflow="fold")
    for target in matrix.targets:
        table.add_column(target, justify="right", overflow="fold")
    table.add_column("mean", justify="right")
    budget: int | None = None
    for place, (of, merge, places) in enumerate(matrix.rows):
        if place == 0 or of != budget:
            table.add_section()
            table.add_row(f"budget {of}" if of is not None else "budget not said", style="bold")
            budget = of
        cells = [_cell(places.get(target)) for target in matrix.targets]
        whole = len(places) == len(matrix.targets)
        table.add_row(merge, *cells, f"{100 * mean_of(places, 'mixture'):+.1f}" if whole else "")
    return Group(table, Text(EXPLAINED))


def _cell(place: Place | None) -> str:
    return "" if place is None else f"{place.mark} {100 * place.mixture:+.1f}".strip()
