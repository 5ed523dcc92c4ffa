"""The heat map of sets of sources by target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dfwe.report.figures.style import DIFFERENCES, GRID, INK, WIDTH, short, styled

MOST = 60  # sets that a picture has room for


@styled
def draw_sources(cells: Mapping[tuple[str, ...], Mapping[str, float]], *, targets: Sequence[str]) -> Figure:
    """The difference to the baseline times 100 by set of sources (rows) and target (columns), the best set on top.

    On the left dots tell which sources a set has. Cells without a job are empty.
    """
    mean = {sources: float(np.mean(list(of.values()))) for sources, of in cells.items()}
    rows = sorted(cells, key=lambda sources: -mean[sources])[:MOST]
    there = {task for sources in rows for task in sources}
    tasks = [task for task in targets if task in there] + sorted(there - set(targets))
    figure = Figure(figsize=(WIDTH, 2.0 + 0.22 * len(rows)), layout="constrained")
    dots, heat = figure.subplots(1, 2, sharey=True, width_ratios=(len(tasks), max(3, len(targets))))
    _dots(dots, rows, tasks=tasks)
    _heat(heat, np.array([[100 * cells[row].get(target, np.nan) for target in targets] for row in rows]))
    _names(heat, targets)
    return figure


def _dots(axes: Axes, rows: Sequence[tuple[str, ...]], *, tasks: Sequence[str]) -> None:
    for place, sources in enumerate(rows):
        there = [tasks.index(task) for task in sources]
        axes.scatter(range(len(tasks)), [place] * len(tasks), s=9, color=GRID)
        axes.plot(sorted(there), [place] * len(there), color=INK, marker="o", markersize=4.5, linewidth=1)
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
