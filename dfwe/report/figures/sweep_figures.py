"""Choose the figures of many runs: scores by task, sets of sources by target, score by number of sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, stdev

from dfwe.report.figures.bars import Interval, TaskScores, draw_tasks
from dfwe.report.figures.study import NamedFigure
from dfwe.report.figures.sweep import MOST_SETS, draw_numbers, draw_sources
from dfwe.report.sweep.jobs import JobResult, by_merge, by_sources, mean_of
from dfwe.report.sweep.published import TABLE_2
from dfwe.report.sweep.report import has_numbers, scores_by_number
from dfwe.report.sweep.statistics import comparability_note, table_jobs


def sweep_figures(jobs: Sequence[JobResult]) -> Iterator[NamedFigure]:
    """Yield for each merge that was asked for the figures that its jobs allow."""
    for merge, by_target in by_merge(jobs):
        if len(by_target) > 1:
            yield _tasks(by_target, merge=merge)
        if any(len(by_sources(group)) > 1 for group in by_target.values()):
            yield _sources(by_target, merge=merge)
        counted = {target: group for target, group in by_target.items() if has_numbers(group)}
        if counted:
            caption = "Mean test score by the number of sources; lines are one standard deviation over sets and seeds."
            figure = draw_numbers(scores_by_number(counted), merge=merge)
            yield NamedFigure(f"numbers_{merge}", "sweep", f"Number of sources, {merge}", caption, figure)


def _tasks(by_target: Mapping[str, Sequence[JobResult]], *, merge: str) -> NamedFigure:
    by_task = table_jobs(by_target)
    tasks = {target: _task(target, jobs=jobs) for target, jobs in by_task.items()}
    ends = "95% intervals over instances"
    if any(len(jobs) > 1 for jobs in by_task.values()):
        ends = "one standard deviation over seeds where there are several, else 95% intervals over test instances"
    caption = f"Test scores beside the paper's Table 2. Lines are {ends}."
    caption += f" {comparability_note(by_task).replace(' in brackets', '')}"
    return NamedFigure(f"tasks_{merge}", "sweep", f"{merge} by task", caption, draw_tasks(tasks, merge=merge))


def _task(target: str, *, jobs: Sequence[JobResult]) -> TaskScores:
    return TaskScores(
        baseline=mean_of(jobs, "baseline"),
        merge=mean_of(jobs, "test"),
        baseline_interval=_ends([job.baseline for job in jobs], jobs[0].baseline_interval),
        merge_interval=_ends([job.test for job in jobs], jobs[0].row["test"].get("interval")),
        published=TABLE_2.get(target),
    )


def _ends(scores: Sequence[float], interval: Sequence[float] | None) -> Interval | None:
    """Return one standard deviation around the mean over seeds, of one seed its interval over instances."""
    if len(scores) > 1:
        return fmean(scores) - stdev(scores), fmean(scores) + stdev(scores)
    return None if interval is None else (interval[0], interval[1])


def _sources(by_target: Mapping[str, Sequence[JobResult]], *, merge: str) -> NamedFigure:
    deltas: dict[tuple[str, ...], dict[str, float]] = {}
    for target, jobs in by_target.items():
        for sources, group in by_sources(jobs).items():
            deltas.setdefault(sources, {})[target] = mean_of(group, "delta")
    caption = "Test score less the baseline's by set of sources and target, times 100, the best set in the mean on top."
    if len(deltas) > MOST_SETS:
        caption += f" The best {MOST_SETS} of {len(deltas)} sets."
    figure = draw_sources(deltas, targets=list(by_target))
    return NamedFigure(f"sources_{merge}", "sweep", f"Sets of sources, {merge}", caption, figure)
