"""Build the table of merges by targets: what each merge gains on each, over all its jobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import fmean

from dfwe.report.names import display_name
from dfwe.report.numbers import signed
from dfwe.report.sweep.jobs import Group, JobResult, by_merge
from dfwe.report.sweep.paper_table import in_paper_order
from dfwe.report.tables import MISSING, Cell, Column, ReportTable, number, tabulate, text

_MATRIX_NOTE = (
    "Best mixture, experts apart, less the baseline on test, times 100; means over the jobs of a merge and target. "
    "= marks merges that kept one expert as it is, with its difference; (=) those that did in some of their jobs."
)


@dataclass(frozen=True)
class MatrixCell:
    """Hold a merge's means on a target, as differences to the baseline, and in how many jobs it is one expert."""

    mixture: float
    selection: float
    dev: float  # of the best mixture
    num_jobs: int
    num_experts: int

    @classmethod
    def of(cls, jobs: Group) -> MatrixCell:
        """Average at least one job."""
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
class MatrixRow:
    """Hold a merge's cells by target, and the evaluations that its search may spend."""

    merge: str
    budget: int | None
    cells: Mapping[str, MatrixCell]

    def mean(self, score: str) -> float:
        """Return the mean of `mixture`, `selection` or `dev` over targets."""
        return fmean(getattr(cell, score) for cell in self.cells.values())


@dataclass(frozen=True)
class MergeMatrix:
    """Hold merges by targets: equal budgets together, in each the best on dev first; targets in the paper's order."""

    targets: tuple[str, ...]
    rows: tuple[MatrixRow, ...]

    @classmethod
    def of(cls, jobs: Group) -> MergeMatrix | None:
        """Build that of merges' jobs; None unless there are several merges and several targets."""
        groups: dict[tuple[int | None, str], dict[str, list[JobResult]]] = {}
        for merge, by_target in by_merge(jobs):
            for target, of_target in by_target.items():
                for job in of_target:
                    groups.setdefault((job.budget, merge), {}).setdefault(target, []).append(job)
        targets = tuple(in_paper_order(dict.fromkeys(sorted(job.target for job in jobs))))
        if len({merge for _, merge in groups}) < 2 or len(targets) < 2:
            return None
        rows = [
            MatrixRow(merge, budget, {target: MatrixCell.of(of_target) for target, of_target in by_target.items()})
            for (budget, merge), by_target in groups.items()
        ]
        return cls(targets, tuple(sorted(rows, key=lambda row: (-(row.budget or 0), -row.mean("dev")))))


def matrix_table(jobs: Group) -> ReportTable | None:
    """Return merges by targets, each best mixture less the baseline; None unless there are several of both."""
    matrix = MergeMatrix.of([job for job in jobs if job.kind == "merge"])
    if matrix is None:
        return None
    columns = [
        Column("merge", "merge", lambda row: text(display_name(row.merge, kind="merge")), is_numeric=False),
        Column("budget", "budget", lambda row: number(row.budget), "evaluations that its search may spend"),
        *(Column(target, target, _in_matrix(target)) for target in matrix.targets),
        Column("mean", "mean", lambda row: _mean(row, num_targets=len(matrix.targets))),
    ]
    return tabulate("matrix", matrix.rows, columns=columns, caption=f"Merges by targets. {_MATRIX_NOTE}")


def _in_matrix(target: str) -> Callable[[MatrixRow], Cell]:
    def cell(row: MatrixRow) -> Cell:
        averages = row.cells.get(target)
        if averages is None:
            return MISSING
        small = f"{averages.mark} {signed(averages.selection)}" if averages.mark else ""
        return Cell(signed(averages.mixture), averages.mixture, small, averages.mark)

    return cell


def _mean(row: MatrixRow, *, num_targets: int) -> Cell:
    mean = row.mean("mixture")
    return Cell(signed(mean), mean) if len(row.cells) == num_targets else MISSING
