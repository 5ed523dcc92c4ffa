"""Draw scores: horizontal bars in groups, confusion matrices, learning curves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dfwe.report.figures.style import (
    BLUE,
    CYCLE,
    HATCHES,
    INK,
    ORANGE,
    PANEL_LETTERS,
    VERMILION,
    new_figure,
    new_panels,
    short,
    styled,
    tip,
)
from dfwe.report.sweep.paper_table import PublishedScores

Interval = tuple[float, float]
MOST_LABELS = 12  # of a confusion matrix; the rarest become one
OTHER, NO_LABEL = "other labels", "no label"
ON_TARGET, ON_SOURCE, BEST = LABELS = ("target", "own task", "kept")


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
        name: {task: (100 * ends[0], 100 * ends[1]) for task, scores in tasks.items() if (ends := getattr(scores, key))}
        for name, key in (("baseline", "baseline_interval"), (merge, "merge_interval"))
    }
    figure, axes = grouped_bars(list(tasks), series=series, intervals=intervals)
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


def count_confusions(
    gold: Sequence[str], *, answers: Sequence[str], labels: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...], Int[np.ndarray, "gold answers"]]:
    """Return names of the rows (gold), of the columns (answers), and counts of answers by gold label.

    The labels are in the task's order; beyond `MOST_LABELS` the rarest in the gold answers are one row and one column.
    Answers that are not a label have the last column.
    """
    often = Counter(gold)
    common = set(
        sorted(labels, key=lambda label: -often[label])[
            : MOST_LABELS if len(labels) <= MOST_LABELS else MOST_LABELS - 1
        ]
    )
    rows = tuple(label for label in labels if label in common) + ((OTHER,) if len(labels) > MOST_LABELS else ())
    all_labels = set(labels)
    named = [_name(answer, common=common, all_labels=all_labels) for answer in answers]
    columns = rows + ((NO_LABEL,) if NO_LABEL in named else ())
    counts = np.zeros((len(rows), len(columns)), dtype=np.int64)
    for right, answer in zip(gold, named, strict=True):
        counts[rows.index(_name(right, common=common, all_labels=all_labels)), columns.index(answer)] += 1
    return rows, columns, counts


@styled
def draw_confusion(rows: Sequence[str], *, columns: Sequence[str], counts: Int[np.ndarray, "gold answers"]) -> Figure:
    """Draw shares of a row as shades and instances as numbers; right answers lie on the diagonal."""
    figure, axes = new_figure(1.5 + 0.31 * len(rows))
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in zip(*np.nonzero(counts), strict=True):
        colour = "white" if shares[row, column] > 0.55 else "black"
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour, fontsize=9)
    axes.set_xticks(range(len(columns)), [short(name, most=16) for name in columns], rotation=45, ha="right")
    axes.set_yticks(range(len(rows)), [short(name, most=16) for name in rows])
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.set_xlabel("answer")
    axes.set_ylabel("gold")
    axes.spines[["left", "bottom"]].set_color(INK)
    return figure


def _name(label: str, *, common: set[str], all_labels: set[str]) -> str:
    if label in common:
        return label
    return OTHER if label in all_labels else NO_LABEL


@dataclass(frozen=True)
class Curve:
    """Hold a training: its name, its stage, and its dev scores by epoch, fractions.

    They are on the target, and on the training's own task where that is another.

    `best` is the epoch that was kept, from 1, or 0 for the start; an unknown score is None.
    """

    title: str
    stage: str
    target: tuple[float | None, ...]
    source: tuple[float | None, ...]
    best: int


@styled
def draw_curves(curves: Sequence[Curve]) -> Figure:
    """Draw dev scores by epoch on one scale: the target whole, the source task dashed, the best epoch a star."""
    figure, panels = new_panels(len(curves), margin=0.9, height=1.55, share_x=False)
    for axes, curve in zip(panels, curves, strict=True):
        _draw_curve(axes, curve)
    handles = {
        label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    labels = [label for label in LABELS if label in handles]
    figure.legend([handles[label] for label in labels], labels, loc="outside upper center", ncols=3)
    figure.supxlabel("epoch", fontsize=10)
    figure.supylabel("dev score × 100", fontsize=10)
    return figure


def _draw_curve(axes: Axes, curve: Curve) -> None:
    _line(axes, curve.target, color=BLUE, line="-", marker="o", label=ON_TARGET)
    _line(axes, curve.source, color=ORANGE, line="--", marker="s", label=ON_SOURCE)
    best_score = next((s[curve.best - 1] for s in (curve.target, curve.source) if _has(s, curve.best)), None)
    if best_score is not None:
        axes.plot(
            [curve.best],
            [100 * best_score],
            color=VERMILION,
            marker="*",
            markersize=11,
            linestyle="",
            label=BEST,
            zorder=4,
        )
    axes.set_title(f"{short(curve.title)}\n{short(curve.stage, most=30)}", loc="left", fontsize=PANEL_LETTERS)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    axes.margins(x=0.08)


def _has(scores: Sequence[float | None], epoch: int) -> bool:
    return 0 < epoch <= len(scores) and scores[epoch - 1] is not None


def _line(axes: Axes, scores: Sequence[float | None], *, color: str, line: str, marker: str, label: str) -> None:
    points = [(number, 100 * score) for number, score in enumerate(scores, start=1) if score is not None]
    if points:
        epochs, values = zip(*points, strict=True)
        (artist,) = axes.plot(epochs, values, color=color, linestyle=line, marker=marker, markersize=3.5, label=label)
        tips = [f"epoch {epoch}: {value:.1f} on the {label}" for epoch, value in points]
        tip(artist, [f"dev score on the {label}", *tips])
