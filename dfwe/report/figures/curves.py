"""Draw learning curves: the dev score after each epoch, a small picture per training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dfwe.report.figures.style import BLUE, ORANGE, VERMILION, WIDTH, short, styled, tip

TARGET, OWN, KEPT = LABELS = ("target", "own task", "kept")
LETTERS = 9.0  # points: two small pictures stand side by side


@dataclass(frozen=True)
class Curve:
    """Hold a training: its name, its stage, and its dev scores by epoch, fractions.

    They are on the target, and on the training's own task where that is another.

    `best` is the epoch that was kept, from 1; an unknown score is None.
    """

    title: str
    stage: str
    target: tuple[float | None, ...]
    source: tuple[float | None, ...]
    best: int


@styled
def draw_curves(curves: Sequence[Curve]) -> Figure:
    """Draw dev scores by epoch on one scale: the target whole, the source task dashed, the best epoch a star."""
    columns = min(2, len(curves))
    rows = math.ceil(len(curves) / columns)
    figure = Figure(figsize=(WIDTH, 0.9 + 1.55 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for axes, curve in zip(grid, curves, strict=False):
        _draw(axes, curve)
    for axes in grid[len(curves) :]:
        axes.set_visible(False)
    handles = {label: handle for axes in grid for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    labels = [label for label in LABELS if label in handles]
    figure.legend([handles[label] for label in labels], labels, loc="outside upper center", ncols=3)
    figure.supxlabel("epoch", fontsize=10)
    figure.supylabel("dev score × 100", fontsize=10)
    return figure


def _draw(axes: Axes, curve: Curve) -> None:
    _line(axes, curve.target, color=BLUE, line="-", marker="o", label=TARGET)
    _line(axes, curve.source, color=ORANGE, line="--", marker="s", label=OWN)
    best_score = next((s[curve.best - 1] for s in (curve.target, curve.source) if _has(s, curve.best)), None)
    if best_score is not None:
        axes.plot(
            [curve.best],
            [100 * best_score],
            color=VERMILION,
            marker="*",
            markersize=11,
            linestyle="",
            label=KEPT,
            zorder=4,
        )
    axes.set_title(f"{short(curve.title)}\n{short(curve.stage, most=30)}", loc="left", fontsize=LETTERS)
    axes.tick_params(labelsize=LETTERS)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    axes.margins(x=0.08)


def _has(scores: Sequence[float | None], epoch: int) -> bool:
    return len(scores) >= epoch and scores[epoch - 1] is not None


def _line(axes: Axes, scores: Sequence[float | None], *, color: str, line: str, marker: str, label: str) -> None:
    points = [(number, 100 * score) for number, score in enumerate(scores, start=1) if score is not None]
    if points:
        epochs, values = zip(*points, strict=True)
        (artist,) = axes.plot(epochs, values, color=color, linestyle=line, marker=marker, markersize=3.5, label=label)
        tips = [f"epoch {epoch}: {value:.1f} on the {label}" for epoch, value in points]
        tip(artist, [f"dev score on the {label}", *tips])
