"""Build the tables that compare jobs: all jobs, means over seeds, sets and numbers of sources."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import stdev
from typing import Any

from dfwe.report.columns import DELTA, MERGE_COLUMNS, P_VALUE, TEST
from dfwe.report.numbers import signed, times_100
from dfwe.report.sweep.jobs import Group, JobResult, by_number, by_setting, by_sources, mean_of
from dfwe.report.sweep.spreads import SCORES, differing, spreads
from dfwe.report.tables import MISSING, Cell, Column, ReportTable, difference, number, score, tabulate, text

PAGE = "report.html"  # of a run


def runs_table(jobs: Group, *, beside: Path) -> ReportTable | None:
    """Return a row per merge and run, with a link to the run's page where there is one."""
    several = _has_several_targets(jobs)
    columns = [
        Column("merge", _merge_heading(several), lambda job: _merge(job, several=several), is_numeric=False),
        _of_row(TEST),
        Column(DELTA.key, DELTA.heading, _delta, note="test score less the same run's baseline's"),
        _of_row(P_VALUE),
        Column("dev", "dev", lambda job: _dev([job])),
        Column("seed", "seed", lambda job: number(job.seed)),
        *(_of_row(column) for column in MERGE_COLUMNS if column.key in ("median_barrier", "evaluations", "seconds")),
        Column("sources", "sources", lambda job: text(", ".join(job.sources)), is_numeric=False),
        Column("run", "run", lambda job: _link(job, beside=beside), is_numeric=False),
    ]
    return tabulate(
        "runs",
        jobs,
        columns=columns,
        caption="Every merge and baseline of every run, times 100; in bold the merges that were asked for.",
        strong=lambda job: bool(job.is_headline),
        facts=lambda job: filter_facts([job]),
        notes="Small: 95% intervals over the test split, or ± one standard error.",
    )


def means_table(groups: Sequence[Group]) -> ReportTable | None:
    """Return a row per setting: means over seeds with their standard deviation, the best on dev first."""
    several = _has_several_targets([job for group in groups for job in group])
    settings = zip(groups, differing(groups), strict=True)
    rows = [(group, unique, spreads(group)) for group, unique in settings]
    columns = [
        Column(
            "merge",
            _merge_heading(several),
            lambda row: _merge(row[0][0], several=several, settings=row[1]),
            is_numeric=False,
        ),
        *(Column(key, key, _spread(key), DELTA.note if key == "delta" else "") for key in SCORES),
        Column("seeds", "seeds", lambda row: number(len({job.seed for job in row[0]})), note="number of seeds"),
        Column("sources", "sources", lambda row: text(", ".join(row[0][0].sources)), is_numeric=False),
    ]
    return tabulate(
        "means",
        sorted(rows, key=lambda row: -row[2]["dev"].mean),
        columns=columns,
        caption="Means over seeds of jobs that differ in nothing else, times 100, the best on dev first.",
        strong=lambda row: bool(row[0][0].is_headline),
        facts=lambda row: filter_facts(row[0]),
        notes="± is one standard deviation over seeds, of one seed and not of the mean.",
    )


def seeds_table(jobs: Group) -> ReportTable | None:
    """Return the means of the settings that ran with several seeds; None where none did."""
    return means_table([group for group in by_setting(jobs) if len({job.seed for job in group}) > 1])


def sources_table(target: str, *, jobs: Group, merge: str) -> ReportTable | None:
    """Return every set of sources, the best on dev first; its notes have the ranks on test."""
    sets = sorted(by_sources(jobs).values(), key=lambda group: mean_of(group, "dev"), reverse=True)
    tests = [mean_of(group, "test") for group in sets]
    rank = sorted(tests, reverse=True).index(tests[0]) + 1
    least, middle, most = min(tests), sorted(tests)[len(tests) // 2], max(tests)
    name = Column("sources", "sources", lambda group: text(", ".join(sorted(group[0].sources))), is_numeric=False)
    return tabulate(
        "sources",
        sets,
        columns=[name, *_mean_columns()],
        caption=f"{target}: sets of sources with {merge}, the best on dev first",
        notes=f"The best set on dev is number {rank} of {len(sets)} on test; on test they score {times_100(least)} to "
        f"{times_100(most)}, the middle one {times_100(middle)}.",
    )


def number_table(target: str, *, jobs: Group, merge: str) -> ReportTable | None:
    """Return the score by the number of sources, its mean and spread over sets and seeds."""
    spread = (
        Column("deviation", "± sd", lambda group: _deviation([job.test for job in group])),
        Column("least", "least", lambda group: score(min(job.test for job in group))),
        Column("most", "most", lambda group: score(max(job.test for job in group))),
    )
    return tabulate(
        "numbers",
        by_number(jobs).values(),
        columns=[Column("sources", "sources", lambda group: number(len(group[0].sources))), *_mean_columns(*spread)],
        caption=f"{target}: score by number of sources with {merge}",
        notes="sd: standard deviation over the jobs, sets of sources and seeds.",
    )


def filter_facts(group: Group) -> dict[str, str]:
    """Return what filters of a page know of a setting; several values of a key are lines."""
    job = group[0]
    return {
        "target": job.target,
        "merge": job.title,
        "kind": kind_of(job),
        "seed": "\n".join(str(job.seed) for job in group),
        "source": "\n".join(job.sources),
    }


def kind_of(job: JobResult) -> str:
    """Return the name of the job's kind in a filter."""
    if job.is_headline:
        return "asked for"
    return "other merge" if job.kind == "merge" else job.kind


def _of_row(column: Column) -> Column:
    """Return the registered column, read from a job's row and never left out."""
    return Column(column.key, column.heading, lambda job: column.cell(job.row), column.note)


def _mean_columns(*spread: Column) -> list[Column]:
    """Return the columns of means over a group of jobs, with those of the spread on test."""
    return [
        Column("jobs", "jobs", lambda group: number(len(group))),
        Column("dev", "dev", _dev),
        Column("test", "test", lambda group: score(mean_of(group, "test"))),
        *spread,
        Column("delta", "delta", lambda group: difference({"delta": mean_of(group, "delta")})),
    ]


def _has_several_targets(jobs: Group) -> bool:
    return len({job.target for job in jobs}) > 1


def _merge_heading(several: bool) -> str:
    return "merge, target" if several else "merge"


def _merge(job: JobResult, *, several: bool, settings: Sequence[str] = ()) -> Cell:
    """Return the merge; small what else tells it from others: its target, where there are several, and its settings."""
    words = ", ".join([*([job.target] if several else []), *settings])
    return Cell(job.title, small=words, brief=words)


def _dev(jobs: Group) -> Cell:
    return score(mean_of(jobs, "dev") if all(job.is_dev_defined for job in jobs) else None)


def _delta(job: JobResult) -> Cell:
    return difference({**job.row, "delta": job.delta})


def _link(job: JobResult, *, beside: Path) -> Cell:
    page = job.path / PAGE
    link = os.path.relpath(page, beside) if page.exists() else None
    return Cell(f"{job.path.parent.name}/{job.path.name}", link=link)


def _spread(key: str) -> Callable[[Any], Cell]:
    def cell(row: Any) -> Cell:
        spread = row[2][key]
        if key == "dev" and not all(job.is_dev_defined for job in row[0]):
            return score(None)
        words = signed(spread.mean) if key == "delta" else times_100(spread.mean)
        small = "" if spread.deviation is None else f"± {100 * spread.deviation:.1f}"
        return Cell(words, spread.mean, small, small)

    return cell


def _deviation(values: Sequence[float]) -> Cell:
    return score(stdev(values)) if len(values) > 1 else MISSING
