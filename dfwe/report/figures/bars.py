"""Horizontal bars in groups, which several pictures are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dfwe.report.figures.style import CYCLE, HATCHES, INK, new_figure, short
from dfwe.report.figures.tips import tip

Interval = tuple[float, float]


def grouped_bars(
    groups: Sequence[str],
    *,
    series: Mapping[str, Mapping[str, float]],
    intervals: Mapping[str, Mapping[str, Interval]] | None = None,
) -> tuple[Figure, Axes]:
    """A group of bars for each name, top to bottom, a bar for each series that has a value there.

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
