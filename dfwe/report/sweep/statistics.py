"""Compute means over seeds and targets, and judge which differences between jobs can be claimed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from dfwe.data.friends.tasks import CHARACTERS, EMORY, MELD, PERSONALITY, QUERIES, QUESTIONS, RELATIONS
from dfwe.metrics.statistics import holm
from dfwe.report.numbers import ALPHA
from dfwe.report.sweep.jobs import JobResult, best_sources, by_merge, without_common

SCORES = ("test", "delta", "dev", "baseline")


@dataclass(frozen=True)
class PublishedScores:
    """Hold a row of Table 2 of Ninalga (2023), arXiv:2307.03506: test scores times 100, as printed."""

    baseline: float
    dfwe: float
    delta: float


TABLE_2: Mapping[str, PublishedScores] = {  # in the paper's order
    EMORY: PublishedScores(31.167, 34.099, 2.932),
    QUERIES: PublishedScores(57.093, 58.888, 1.795),
    CHARACTERS: PublishedScores(62.366, 64.469, 2.103),
    QUESTIONS: PublishedScores(39.758, 41.027, 1.27),
    PERSONALITY: PublishedScores(53.818, 57.636, 3.818),
    RELATIONS: PublishedScores(37.699, 41.733, 4.034),
    MELD: PublishedScores(48.037, 52.63, 4.593),
}


def in_paper_order(targets: Mapping[str, object] | set[str]) -> list[str]:
    """Return the targets in the paper's order, then those that it does not have."""
    return [name for name in TABLE_2 if name in targets] + [name for name in targets if name not in TABLE_2]


@dataclass(frozen=True)
class Spread:
    """Hold a mean, and the standard deviation around it (of a sample; None of one value); fractions."""

    mean: float
    deviation: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Compute that of at least one value."""
        return cls(fmean(values), stdev(values) if len(values) > 1 else None)


def spreads(jobs: Sequence[JobResult]) -> dict[str, Spread]:
    """Return mean and spread of each of `SCORES` over jobs of one setting."""
    return {score: Spread.of([getattr(job, score) for job in jobs]) for score in SCORES}


def differing(groups: Sequence[Sequence[JobResult]]) -> list[tuple[str, ...]]:
    """Return of each group the settings that not all groups have."""
    return without_common([group[0].settings for group in groups])


@dataclass(frozen=True)
class MatrixCell:
    """Hold a merge's means on a target, as differences to the baseline, and in how many jobs it is one expert."""

    mixture: float
    selection: float
    dev: float  # of the best mixture
    num_jobs: int
    num_experts: int

    @classmethod
    def of(cls, jobs: Sequence[JobResult]) -> MatrixCell:
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
class MergeMatrix:
    """Hold merges by targets: equal budgets together, in each the best on dev first; targets in the paper's order."""

    targets: tuple[str, ...]
    rows: tuple[tuple[int | None, str, dict[str, MatrixCell]], ...]  # budget, merge, cells by target

    @classmethod
    def of(cls, jobs: Sequence[JobResult]) -> MergeMatrix | None:
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
            (budget, merge, {target: MatrixCell.of(of_target) for target, of_target in by_target.items()})
            for (budget, merge), by_target in groups.items()
        ]
        return cls(targets, tuple(sorted(rows, key=lambda row: (-(row[0] or 0), -mean_over_targets(row[2], "dev")))))


def mean_over_targets(cells: Mapping[str, MatrixCell], score: str) -> float:
    """Return the mean of `mixture`, `kept` or `dev` over targets."""
    return fmean(getattr(cell, score) for cell in cells.values())


def table_jobs(by_target: Mapping[str, Sequence[JobResult]]) -> dict[str, list[JobResult]]:
    """Return the jobs that stand for each target in Table 2: those of its best sources on dev."""
    return {name: best_sources(by_target[name]) for name in in_paper_order(by_target)}


def is_comparable(jobs: Sequence[JobResult]) -> bool:
    """Check that model and data are those of the published numbers."""
    return not any(job.departures for job in jobs)


def comparability_note(by_task: Mapping[str, Sequence[JobResult]]) -> str:
    """Write whether the published numbers are comparable, and why not."""
    departures = dict.fromkeys(reason for jobs in by_task.values() for job in jobs for reason in job.departures)
    if not departures:
        return "Model and data are the paper's: the published numbers are comparable."
    return f"Published numbers in brackets are not comparable: {'; '.join(departures)}."


def corrected_note(by_task: Mapping[str, Sequence[JobResult]]) -> list[str]:
    """Write for which tasks a difference can be claimed, corrected for all tasks; only of one job per task."""
    p = {name: jobs[0].p for name, jobs in by_task.items() if len(jobs) == 1 and jobs[0].p is not None}
    if len(p) < 2:
        return []
    adjusted = holm({name: value for name, value in p.items() if value is not None})
    sure = [name for name, value in adjusted.items() if value <= ALPHA]
    claim = f"can be claimed for {', '.join(sure)}" if sure else "can be claimed for none"
    values = ", ".join(f"{name} {value:.2g}" for name, value in adjusted.items())
    return [f"Corrected for {len(p)} tasks (Holm), a difference to the baseline {claim}; p: {values}."]
