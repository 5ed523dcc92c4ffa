"""Coefficients as bars, grouped by expert, a bar a merge."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from dfwe.report.figures.bars import grouped_bars
from dfwe.report.figures.style import INK, styled


@styled
def draw_coefficients(by_merge: Mapping[str, Mapping[str, float]]) -> Figure:
    """One bar for each merge's coefficient of each expert; merges that share experts share their groups."""
    names = list(dict.fromkeys(name for coefficients in by_merge.values() for name in coefficients))
    figure, axes = grouped_bars(names, series=by_merge)
    axes.set_xlabel("coefficient")
    axes.axvline(0, color=INK, linewidth=0.8)
    if len(by_merge) > 1:
        figure.legend(loc="outside upper center", ncols=2)
    return figure
