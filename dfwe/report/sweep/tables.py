"""The tables of a sweep; scores times 100."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.text import Text

from dfwe.metrics.statistics import holm
from dfwe.report.numbers import ALPHA, times_100
from dfwe.report.sweep.jobs import JobResult, best_sources, by_sources, mean_of
from dfwe.report.sweep.published import TABLE_2, Published
from dfwe.report.terminal.fitted_table import FittedTable


def table_2(by_target: Mapping[str, Sequence[JobResult]], *, merge: str) -> RenderableType:
    """The paper's Table 2: a row a target in its order, their mean, and the published numbers beside them.

    Of several sets of sources the one with the best dev score counts; seeds are averaged.
    """
    chosen = chosen_jobs(by_target)
    title = f"Table 2 of the paper with {merge}"
    table = FittedTable(title=title, title_justify="left", box=SIMPLE, padding=(0, 0, 0, 1), show_edge=False)
    table.add_column("task", no_wrap=True)
    for heading in ("jobs", "base-\nline", "\nDFWE", "\ndelta", "paper's\nbaseline", "\nDFWE", "\ndelta"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, jobs in chosen.items():
        published = TABLE_2.get(name)
        table.add_row(name, str(len(jobs)), *_three(jobs), *_published(published, comparable=is_comparable(jobs)))
    table.add_section()
    table.add_row(*_mean_row(chosen), style="bold")
    several = any(len(by_sources(jobs)) > 1 for jobs in by_target.values())
    notes = ["Of several sets of sources the one with the best dev score."] if several else []
    notes += same_as_experts(chosen)
    return Group(table, Text(" ".join([*notes, *corrected(chosen), comparison(chosen)])))


def sources_table(target: str, *, jobs: Sequence[JobResult], merge: str) -> RenderableType:
    """Every set of sources with its dev and test score and delta, the best on dev first."""
    table = FittedTable(title=f"{target}: sets of sources with {merge}, the best on dev first", title_justify="left")
    table.add_column("sources", overflow="fold")
    for heading in ("jobs", "dev", "test", "delta"):
        table.add_column(heading, justify="right")
    sets = sorted(by_sources(jobs).items(), key=lambda each: mean_of(each[1], "dev"), reverse=True)
    for sources, each in sets:
        scores = [times_100(mean_of(each, what)) for what in ("dev", "test")]
        table.add_row(", ".join(sources), str(len(each)), *scores, _signed(mean_of(each, "delta")))
    tests = [mean_of(each, "test") for _, each in sets]
    rank = sorted(tests, reverse=True).index(tests[0]) + 1
    return Group(table, Text(f"The best set on dev is number {rank} of {len(sets)} on test; {_spread_words(tests)}."))


def number_table(target: str, *, jobs: Sequence[JobResult], merge: str) -> RenderableType:
    """The score by the number of sources, its mean and spread over sets and seeds."""
    table = FittedTable(title=f"{target}: score by number of sources with {merge}", title_justify="left")
    for heading in ("sources", "jobs", "dev", "test", "± sd", "least", "most", "delta"):
        table.add_column(heading, justify="right")
    for number, each in by_number(jobs).items():
        tests = [job.test for job in each]
        spread = f"{100 * stdev(tests):.1f}" if len(tests) > 1 else ""
        ends = (times_100(min(tests)), times_100(max(tests)))
        means = (times_100(mean_of(each, "dev")), times_100(mean_of(each, "test")))
        table.add_row(str(number), str(len(each)), *means, spread, *ends, _signed(mean_of(each, "delta")))
    return Group(table, Text("sd: standard deviation over the jobs, sets of sources and seeds."))


def chosen_jobs(by_target: Mapping[str, Sequence[JobResult]]) -> dict[str, list[JobResult]]:
    """What stands for each target in Table 2: the jobs of its best sources on dev; targets in the paper's order."""
    order = [name for name in TABLE_2 if name in by_target] + [name for name in by_target if name not in TABLE_2]
    return {name: best_sources(by_target[name]) for name in order}


def is_comparable(jobs: Sequence[JobResult]) -> bool:
    """Whether model and data are those of the published numbers."""
    return not any(job.departures for job in jobs)


def comparison(chosen: Mapping[str, Sequence[JobResult]]) -> str:
    """In words, whether the published numbers are comparable, and why not."""
    departures = dict.fromkeys(reason for jobs in chosen.values() for job in jobs for reason in job.departures)
    if not departures:
        return "Model and data are the paper's: the published numbers are comparable."
    return f"Published numbers in brackets are not comparable: {'; '.join(departures)}."


def corrected(chosen: Mapping[str, Sequence[JobResult]]) -> list[str]:
    """For which tasks a difference can be claimed, all of them looked at; of one job each, as seeds are averaged."""
    p = {name: jobs[0].p for name, jobs in chosen.items() if len(jobs) == 1 and jobs[0].p is not None}
    if len(p) < 2:
        return []
    adjusted = holm({name: each for name, each in p.items() if each is not None})
    sure = [name for name, each in adjusted.items() if each <= ALPHA]
    claimed = f"can be claimed for {', '.join(sure)}" if sure else "can be claimed for none"
    each = ", ".join(f"{name} {value:.2g}" for name, value in adjusted.items())
    return [f"Corrected for {len(p)} tasks (Holm), a difference to the baseline {claimed}; p: {each}."]


def by_number(jobs: Sequence[JobResult]) -> dict[int, list[JobResult]]:
    """Jobs by their number of sources, in order."""
    numbers = sorted({len(job.sources) for job in jobs})
    return {number: [job for job in jobs if len(job.sources) == number] for number in numbers}


def same_as_experts(chosen: Mapping[str, Sequence[JobResult]]) -> list[str]:
    """Where what stands for the merge is one expert as it is, and what its best mixture scores there."""
    told = []
    for name, jobs in chosen.items():
        same = [job for job in jobs if job.expert is not None]
        if same:
            experts = ", ".join(dict.fromkeys(str(job.expert) for job in same))
            of = "" if len(same) == len(jobs) else f" in {len(same)} of {len(jobs)} jobs"
            mixture = fmean(job.mixture_test for job in jobs)
            told.append(f"{name}{of} ({experts}; best mixture {100 * mixture:.2f})")
    return [f"= the merge is one expert as it is: {'; '.join(told)}."] if told else []


def _three(jobs: Sequence[JobResult]) -> tuple[str, str, str]:
    baseline, test = mean_of(jobs, "baseline"), mean_of(jobs, "test")
    mark = "= " if any(job.expert is not None for job in jobs) else ""
    return f"{100 * baseline:.2f}", f"{mark}{100 * test:.2f}", f"{100 * (test - baseline):+.2f}"


def _published(row: Published | None, *, comparable: bool) -> tuple[str, str, str]:
    if row is None:
        return "", "", ""
    cells = (f"{row.baseline:.2f}", f"{row.dfwe:.2f}", f"{row.delta:+.2f}")
    return cells if comparable else (f"({cells[0]})", f"({cells[1]})", f"({cells[2]})")


def _mean_row(chosen: Mapping[str, Sequence[JobResult]]) -> tuple[str, ...]:
    baseline, test = (fmean(mean_of(jobs, what) for jobs in chosen.values()) for what in ("baseline", "test"))
    known = [TABLE_2[name] for name in chosen if name in TABLE_2]
    ours = (f"{100 * baseline:.2f}", f"{100 * test:.2f}", f"{100 * (test - baseline):+.2f}")
    if len(known) < len(chosen):
        return (f"mean of {len(chosen)} tasks", "", *ours, "", "", "")
    mean = Published(*(fmean(getattr(row, part) for row in known) for part in ("baseline", "dfwe", "delta")))
    comparable = all(is_comparable(jobs) for jobs in chosen.values())
    return (f"mean of {len(chosen)} tasks", "", *ours, *_published(mean, comparable=comparable))


def _spread_words(scores: Sequence[float]) -> str:
    least, middle, most = min(scores), sorted(scores)[len(scores) // 2], max(scores)
    return f"on test they score {times_100(least)} to {times_100(most)}, the middle one {times_100(middle)}"


def _signed(delta: float) -> str:
    return f"{round(100 * delta, 1) + 0.0:+.1f}"  # + 0.0: no -0.0
