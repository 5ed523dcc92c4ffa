"""Draw lines between pairs of experts: the dev scores of their mixtures, and the barriers between them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dfwe.report.figures.style import BLUE, MUTED, VERMILION, WIDTH, short, styled
from dfwe.report.names import expert_name
from dfwe.report.trials import ExpertPath

LETTERS = 9.0  # points: two small pictures stand side by side


@styled
def draw_interpolations(paths: Sequence[ExpertPath]) -> Figure:
    """Draw a small picture per pair, all on one scale: its scores, the straight line, and the barrier times 100."""
    columns = min(2, len(paths))
    rows = math.ceil(len(paths) / columns)
    figure = Figure(figsize=(WIDTH, 0.7 + 1.45 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, path in zip(grid, paths, strict=False):
        _draw(axes, path)
    for number, axes in enumerate(grid[len(paths) :], start=len(paths)):
        axes.set_visible(False)
        grid[number - columns].tick_params(labelbottom=True)  # nothing stands below it
    figure.supxlabel("share of the second expert", fontsize=10)
    figure.supylabel("dev score × 100", fontsize=10)
    return figure


def _draw(axes: Axes, path: ExpertPath) -> None:
    scores = [100 * score for score in path.scores]
    axes.plot(path.shares, scores, color=BLUE, marker="o", markersize=3)
    axes.set_title(
        f"{short(expert_name(path.first), most=18)} →\n{short(expert_name(path.second), most=18)}",
        loc="left",
        fontsize=LETTERS,
    )
    axes.tick_params(labelsize=LETTERS)
    axes.set_xticks((0, 0.5, 1))
    if path.losses is None or path.barrier is None:
        return
    axes.plot((0, 1), (scores[0], scores[-1]), color=MUTED, linestyle="--", linewidth=1.0)
    place = path.losses.index(max(path.losses))
    axes.vlines(path.shares[place], scores[place], scores[place] + 100 * path.barrier, color=VERMILION, linewidth=1.5)
    axes.set_title(f"barrier\n{100 * path.barrier:.1f}", loc="right", fontsize=LETTERS, color=VERMILION)
