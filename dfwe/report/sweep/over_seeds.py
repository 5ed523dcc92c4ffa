"""Means over seeds with their spread: of jobs that differ in nothing else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any, TypeVar

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.text import Text

from dfwe.report.sweep.jobs import JobResult
from dfwe.report.terminal.fitted_table import FittedTable

T = TypeVar("T")
_WHAT = ("test", "delta", "dev", "baseline")


@dataclass(frozen=True)
class Spread:
    """A mean, and the standard deviation around it (of a sample; None of one value); fractions."""

    mean: float
    deviation: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """That of at least one value."""
        return cls(fmean(values), stdev(values) if len(values) > 1 else None)


def by_setting(found: Iterable[T], *, job: Callable[[T], JobResult]) -> list[list[T]]:
    """Those that differ in nothing but the seed, in their order; the very same merge counts once.

    Target, sources (in any order), merge, and what else the command said are a setting.
    """
    groups: dict[tuple[Any, ...], dict[tuple[str, int], T]] = defaultdict(dict)
    for each in found:
        of = job(each)
        setting = (of.target, tuple(sorted(of.sources)), of.merge, of.settings)
        groups[setting].setdefault((of.stage, of.seed), each)
    return [list(group.values()) for group in groups.values()]


def spreads(jobs: Sequence[JobResult]) -> dict[str, Spread]:
    """Mean and spread of `test`, `delta`, `dev` and `baseline` over jobs of one setting."""
    return {what: Spread.of([getattr(job, what) for job in jobs]) for what in _WHAT}


def differing(groups: Sequence[Sequence[JobResult]]) -> list[tuple[str, ...]]:
    """What of the settings of each group not every group has."""
    every = [set(group[0].settings) for group in groups]
    common = set.intersection(*every) if every else set()
    return [tuple(each for each in group[0].settings if each not in common) for group in groups]


def seeds_table(jobs: Sequence[JobResult]) -> RenderableType | None:
    """Each setting that ran with several seeds, scores times 100; None where none did."""
    groups = [group for group in by_setting(jobs, job=lambda each: each) if len({job.seed for job in group}) > 1]
    if not groups:
        return None
    targets = {group[0].target for group in groups}
    title = "Mean ± standard deviation over seeds" + (f" · {groups[0][0].target}" if len(targets) == 1 else "")
    table = FittedTable(title=title, title_justify="left", box=SIMPLE, padding=(0, 0, 0, 1), show_edge=False)
    table.add_column("merge" if len(targets) == 1 else "target, merge", overflow="fold")
    for heading in ("seeds", *_WHAT):
        table.add_column(heading, justify="right", no_wrap=True)
    has_sources = len({tuple(sorted(group[0].sources)) for group in groups}) > 1
    for group, own in zip(groups, differing(groups), strict=True):
        first, found = group[0], spreads(group)
        name = first.merge if len(targets) == 1 else f"{first.target}, {first.merge}"
        words = [name, *(["from " + ", ".join(first.sources)] if has_sources else []), *own]
        cells = (_shown(found[what], sign=what == "delta") for what in _WHAT)
        table.add_row("\n".join(words), str(len({job.seed for job in group})), *cells)
    return Group(table, Text("Of jobs that differ in nothing but the seed. ± is of one seed, not of the mean."))


def _shown(spread: Spread, *, sign: bool) -> str:
    mean = format(round(100 * spread.mean, 1) + 0.0, "+.1f" if sign else ".1f")  # + 0.0: no -0.0
    return mean if spread.deviation is None else f"{mean} ±{100 * spread.deviation:.1f}"
