"""Draw the figures of many runs: scores by task, sets of sources by target, scores by number of sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, stdev

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dfwe.io.files import plain_name
from dfwe.report.figures.rows import row_figures
from dfwe.report.figures.scores import Interval, TaskScores, draw_tasks
from dfwe.report.figures.study import NamedFigure
from dfwe.report.figures.style import DIFFERENCES, GRID, INK, WIDTH, draw_mean_line, new_figure, short, styled
from dfwe.report.sweep.jobs import JobResult, by_merge, by_sources, has_numbers, mean_of, scores_by_number
from dfwe.report.sweep.paper_table import TABLE_2, comparability_note, table_jobs
from dfwe.report.sweep.rows import RowScores

APART = 0.07  # targets of the same number: their spreads would hide each other
MOST_SETS = 60  # that a picture has room for


@styled
def draw_numbers(by_target: Mapping[str, Mapping[int, Sequence[float]]], *, merge: str) -> Figure:
    """Draw test scores by number of sources, a line per target: the mean, and one standard deviation around."""
    figure, axes = new_figure(3.3 + 0.2 * len(by_target))
    for place, (target, by_number) in enumerate(by_target.items()):
        beside = APART * (place - (len(by_target) - 1) / 2)
        line = {number + beside: scores for number, scores in by_number.items()}
        draw_mean_line(axes, line, number=place, label=short(target))
    axes.set_xlabel("number of sources")
    axes.set_ylabel(f"test score of {short(merge)} × 100")
    axes.set_xticks(sorted({number for by_number in by_target.values() for number in by_number}))
    figure.legend(loc="outside upper left", ncols=1 if len(by_target) < 4 else 2)
    return figure


@styled
def draw_sources(cells: Mapping[tuple[str, ...], Mapping[str, float]], *, targets: Sequence[str]) -> Figure:
    """Draw differences to the baseline by set of sources (rows) and target (columns), the best set on top.

    On the left, dots mark the sources of a set. Cells without a job are empty.
    """
    mean = {sources: float(np.mean(list(of.values()))) for sources, of in cells.items()}
    rows = sorted(cells, key=lambda sources: -mean[sources])[:MOST_SETS]
    places = {task for sources in rows for task in sources}
    tasks = [task for task in targets if task in places] + sorted(places - set(targets))
    figure = Figure(figsize=(WIDTH, 2.0 + 0.22 * len(rows)), layout="constrained")
    dots, heat = figure.subplots(1, 2, sharey=True, width_ratios=(len(tasks), max(3, len(targets))))
    _dots(dots, rows, tasks=tasks)
    _heat(heat, np.array([[100 * cells[row].get(target, np.nan) for target in targets] for row in rows]))
    _names(heat, targets)
    return figure


def _dots(axes: Axes, rows: Sequence[tuple[str, ...]], *, tasks: Sequence[str]) -> None:
    for place, sources in enumerate(rows):
        places = [tasks.index(task) for task in sources]
        axes.scatter(range(len(tasks)), [place] * len(tasks), s=9, color=GRID)
        axes.plot(sorted(places), [place] * len(places), color=INK, marker="o", markersize=4.5, linewidth=1)
    _names(axes, tasks)
    axes.set_yticks([])
    axes.set_xlim(-0.6, len(tasks) - 0.4)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set_title("sources", fontsize=9)


def _heat(axes: Axes, values: Float[np.ndarray, "sets targets"]) -> None:
    most = max(1e-9, float(np.nanmax(np.abs(values))))
    axes.imshow(values, cmap=DIFFERENCES, vmin=-most, vmax=most, aspect="auto")
    for row, column in zip(*np.nonzero(~np.isnan(values)), strict=True):
        value = values[row, column]
        colour = "white" if abs(value) > 0.65 * most else "black"
        axes.text(column, row, f"{value:+.1f}", ha="center", va="center", fontsize=7.5, color=colour)
    axes.set_title("delta on the target × 100", fontsize=9)


def _names(axes: Axes, names: Sequence[str]) -> None:
    axes.set_xticks(range(len(names)), [short(name, most=18) for name in names], rotation=90, fontsize=8.5)
    axes.tick_params(length=0)
    axes.grid(visible=False)


def sweep_figures(jobs: Sequence[JobResult], *, rows: Sequence[RowScores] = ()) -> Iterator[NamedFigure]:
    """Yield the figures of rows over targets and seeds, then of each merge that was asked for, as the jobs allow."""
    yield from row_figures(rows)
    for merge, by_target in by_merge(jobs):
        if len(by_target) > 1:
            yield _tasks(by_target, merge=merge)
        if any(len(by_sources(group)) > 1 for group in by_target.values()):
            yield _sources(by_target, merge=merge)
        counted = {target: group for target, group in by_target.items() if has_numbers(group)}
        if counted:
            caption = "Mean test score by the number of sources; lines are one standard deviation over sets and seeds."
            figure = draw_numbers(scores_by_number(counted), merge=merge)
            yield NamedFigure(f"numbers_{plain_name(merge)}", "sweep", f"Number of sources, {merge}", caption, figure)


def _tasks(by_target: Mapping[str, Sequence[JobResult]], *, merge: str) -> NamedFigure:
    by_task = table_jobs(by_target)
    tasks = {target: _task(target, jobs=jobs) for target, jobs in by_task.items()}
    ends = "95% intervals over instances"
    if any(len(jobs) > 1 for jobs in by_task.values()):
        ends = "one standard deviation over seeds where there are several, else 95% intervals over the test split"
    caption = f"Test scores beside the paper's Table 2. Lines are {ends}."
    caption += f" {comparability_note(by_task).replace(' in brackets', '')}"
    return NamedFigure(
        f"tasks_{plain_name(merge)}", "sweep", f"{merge} by task", caption, draw_tasks(tasks, merge=merge)
    )


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
    return NamedFigure(f"sources_{plain_name(merge)}", "sweep", f"Sets of sources, {merge}", caption, figure)
