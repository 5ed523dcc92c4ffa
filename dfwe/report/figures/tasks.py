"""Scores by task with their intervals, beside the paper's Table 2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from matplotlib.figure import Figure

from dfwe.report.figures.bars import Interval, grouped_bars
from dfwe.report.figures.style import INK, styled
from dfwe.report.sweep.published import Published


@dataclass(frozen=True)
class TaskScores:
    """Test scores of a task, fractions; an interval where it is known; what the paper prints, where it has the task."""

    baseline: float
    merge: float
    baseline_interval: Interval | None = None
    merge_interval: Interval | None = None
    published: Published | None = None


@styled
def draw_tasks(tasks: Mapping[str, TaskScores], *, merge: str) -> Figure:
    """Two bars a task, baseline and merge, times 100, with lines for their 95% intervals; the paper's as diamonds."""
    series = {
        "baseline": {name: 100 * scores.baseline for name, scores in tasks.items()},
        merge: {name: 100 * scores.merge for name, scores in tasks.items()},
    }
    intervals = {
        "baseline": {name: _times_100(scores.baseline_interval) for name, scores in tasks.items()},
        merge: {name: _times_100(scores.merge_interval) for name, scores in tasks.items()},
    }
    known = {name: {task: ends for task, ends in of.items() if ends is not None} for name, of in intervals.items()}
    figure, axes = grouped_bars(list(tasks), series=series, intervals=known)
    places = [(row, scores.published) for row, scores in enumerate(tasks.values())]
    for offset, part, fill in ((-0.2, "baseline", "white"), (0.2, "dfwe", INK)):
        spots = [(getattr(row, part), place + offset) for place, row in places if row is not None]
        if spots:
            label = f"the paper's {'baseline' if part == 'baseline' else 'DFWE'}"
            scores, rows = ([spot[axis] for spot in spots] for axis in (0, 1))
            axes.scatter(scores, rows, marker="D", s=30, color=fill, edgecolors=INK, label=label, zorder=4)
    axes.set_xlabel("test score × 100")
    figure.legend(loc="outside upper center", ncols=2)
    return figure


def _times_100(interval: Interval | None) -> Interval | None:
    return None if interval is None else (100 * interval[0], 100 * interval[1])
