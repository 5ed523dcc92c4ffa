"""Draw horizontal bars in groups: coefficients, contributions of experts, scores by task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dfwe.report.figures.style import CYCLE, HATCHES, INK, new_figure, short, styled, tip
from dfwe.report.sweep.published import PublishedScores

Interval = tuple[float, float]


def grouped_bars(
    groups: Sequence[str],
    *,
    series: Mapping[str, Mapping[str, float]],
    intervals: Mapping[str, Mapping[str, Interval]] | None = None,
) -> tuple[Figure, Axes]:
    """Draw a group of bars per name, top to bottom, a bar per series that has a value there.

    Colours differ in lightness and bars in hatching. `intervals` are drawn as lines over the bars.
    """
    num = max(1, len(series))
    figure, axes = new_figure(0.9 + len(groups) * (0.22 + 0.2 * num) + 0.22 * num)
    thick = 0.8 / num
    for number, (name, values) in enumerate(series.items()):
        rows = [row for row, group in enumerate(groups) if group in values]
        places = [row + (number - (num - 1) / 2) * thick for row in rows]
        widths = [values[groups[row]] for row in rows]
        bars = axes.barh(
            places,
            widths,
            height=thick * 0.9,
            label=short(name, most=40),
            color=CYCLE[number % len(CYCLE)],
            hatch=HATCHES[number % len(HATCHES)],
            edgecolor="white",
            linewidth=0,
        )
        for row, bar in zip(rows, bars, strict=True):
            tip(bar, [f"{groups[row]}, {name}: {values[groups[row]]:.3g}"])
        for row, place in zip(rows, places, strict=True):
            ends = (intervals or {}).get(name, {}).get(groups[row])
            if ends is not None:
                axes.plot(
                    ends, (place, place), color=INK, linewidth=1.2, solid_capstyle="butt", marker="|", markersize=5
                )
    axes.set_yticks(range(len(groups)), [short(name) for name in groups])
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    return figure, axes


@styled
def draw_coefficients(by_merge: Mapping[str, Mapping[str, float]]) -> Figure:
    """Draw a bar per merge and expert; merges that share experts share their groups."""
    names = list(dict.fromkeys(name for coefficients in by_merge.values() for name in coefficients))
    figure, axes = grouped_bars(names, series=by_merge)
    axes.set_xlabel("coefficient")
    axes.axvline(0, color=INK, linewidth=0.8)
    if len(by_merge) > 1:
        figure.legend(loc="outside upper center", ncols=2)
    return figure


@styled
def draw_leave_one_out(contributions: Mapping[str, float]) -> Figure:
    """Draw a bar per expert, the largest contribution first, times 100; below zero the merge is better without it."""
    names = sorted(contributions, key=lambda name: -contributions[name])
    points = {name: 100 * value for name, value in contributions.items()}
    figure, axes = grouped_bars(names, series={"contribution": points})
    axes.bar_label(axes.containers[0], fmt="{:.1f}", padding=3, fontsize=9)  # type: ignore[arg-type]
    axes.margins(x=0.12)  # room for them
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_xlabel("dev score lost without it × 100")
    return figure


@dataclass(frozen=True)
class TaskScores:
    """Hold test scores of a task, fractions, with intervals, and the published scores where the paper has the task."""

    baseline: float
    merge: float
    baseline_interval: Interval | None = None
    merge_interval: Interval | None = None
    published: PublishedScores | None = None


@styled
def draw_tasks(tasks: Mapping[str, TaskScores], *, merge: str) -> Figure:
    """Draw two bars per task, baseline and merge, with lines for their 95% intervals; published scores as diamonds."""
    series = {
        "baseline": {name: 100 * scores.baseline for name, scores in tasks.items()},
        merge: {name: 100 * scores.merge for name, scores in tasks.items()},
    }
    intervals = {
        "baseline": {name: _times_100(scores.baseline_interval) for name, scores in tasks.items()},
        merge: {name: _times_100(scores.merge_interval) for name, scores in tasks.items()},
    }
    defined = {name: {task: ends for task, ends in of.items() if ends is not None} for name, of in intervals.items()}
    figure, axes = grouped_bars(list(tasks), series=series, intervals=defined)
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
