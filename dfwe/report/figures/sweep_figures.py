"""Which pictures many runs have together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, stdev

from dfwe.report.figures.bars import Interval
from dfwe.report.figures.numbers import draw_numbers
from dfwe.report.figures.sources import MOST, draw_sources
from dfwe.report.figures.study_figures import Picture
from dfwe.report.figures.tasks import TaskScores, draw_tasks
from dfwe.report.sweep.jobs import JobResult, by_sources, groups, mean_of
from dfwe.report.sweep.published import TABLE_2
from dfwe.report.sweep.report import has_numbers, scores_by_number
from dfwe.report.sweep.runs import Scored
from dfwe.report.sweep.tables import chosen_jobs, comparison


def sweep_pictures(found: Sequence[Scored]) -> Iterator[Picture]:
    """For each merge that was asked for: scores by task, sets of sources by target, score by number of sources."""
    heads = [each for each in found if each.is_headline]
    for merge, by_target in groups([each.job for each in heads]):
        rows = [each for each in heads if each.job.merge == merge]
        if len(by_target) > 1:
            yield _tasks(rows, merge=merge, by_target=by_target)
        sets = {sources for jobs in by_target.values() for sources in by_sources(jobs)}
        if any(len(by_sources(jobs)) > 1 for jobs in by_target.values()):
            yield _sources(by_target, merge=merge, num_sets=len(sets))
        counted = {target: jobs for target, jobs in by_target.items() if has_numbers(jobs)}
        if counted:
            caption = "Mean test score by the number of sources; lines are one standard deviation over sets and seeds."
            figure = draw_numbers(scores_by_number(counted), merge=merge)
            yield Picture(f"numbers_{merge}", "sweep", f"Number of sources, {merge}", caption, figure)


def _tasks(rows: Sequence[Scored], *, merge: str, by_target: Mapping[str, list[JobResult]]) -> Picture:
    chosen = chosen_jobs(by_target)
    tasks = {target: _task(target, jobs=jobs, rows=rows) for target, jobs in chosen.items()}
    several = any(len(jobs) > 1 for jobs in chosen.values())
    ends = "one standard deviation over seeds where there are several, else 95% intervals over test instances"
    caption = (
        f"Test scores beside the paper's Table 2. Lines are {ends if several else '95% intervals over instances'}."
    )
    caption += f" {comparison(chosen).replace(' in brackets', '')}"
    return Picture(f"tasks_{merge}", "sweep", f"{merge} by task", caption, draw_tasks(tasks, merge=merge))


def _task(target: str, *, jobs: Sequence[JobResult], rows: Sequence[Scored]) -> TaskScores:
    runs = [each for each in rows if each.job in jobs]
    baselines = [row for each in runs for row in each.run.rows("baseline")]
    return TaskScores(
        baseline=mean_of(jobs, "baseline"),
        merge=mean_of(jobs, "test"),
        baseline_interval=_ends([job.baseline for job in jobs], [row["test"].get("interval") for row in baselines]),
        merge_interval=_ends([job.test for job in jobs], [each.row["test"].get("interval") for each in runs]),
        published=TABLE_2.get(target),
    )


def _ends(scores: Sequence[float], intervals: Sequence[Sequence[float] | None]) -> Interval | None:
    """Over seeds one standard deviation around the mean, of one seed its interval over instances."""
    if len(scores) > 1:
        return fmean(scores) - stdev(scores), fmean(scores) + stdev(scores)
    return (intervals[0][0], intervals[0][1]) if intervals and intervals[0] is not None else None


def _sources(by_target: Mapping[str, list[JobResult]], *, merge: str, num_sets: int) -> Picture:
    cells: dict[tuple[str, ...], dict[str, float]] = {}
    for target, jobs in by_target.items():
        for sources, each in by_sources(jobs).items():
            cells.setdefault(sources, {})[target] = mean_of(each, "delta")
    caption = "Test score less the baseline's by set of sources and target, times 100, the best set in the mean on top."
    if num_sets > MOST:
        caption += f" The best {MOST} of {num_sets} sets."
    figure = draw_sources(cells, targets=list(by_target))
    return Picture(f"sources_{merge}", "sweep", f"Sets of sources, {merge}", caption, figure)
