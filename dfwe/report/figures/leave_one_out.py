"""What each expert brings to a merge: its dev score less that of the same coefficients without it."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from dfwe.report.figures.bars import grouped_bars
from dfwe.report.figures.style import INK, styled


@styled
def draw_leave_one_out(contributions: Mapping[str, float]) -> Figure:
    """A bar an expert, the largest contribution first, times 100; below zero: the merge is better without it."""
    names = sorted(contributions, key=lambda name: -contributions[name])
    points = {name: 100 * value for name, value in contributions.items()}
    figure, axes = grouped_bars(names, series={"contribution": points})
    axes.bar_label(axes.containers[0], fmt="{:.1f}", padding=3, fontsize=9)  # type: ignore[arg-type]
    axes.margins(x=0.12)  # room for them
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_xlabel("dev score lost without it × 100")
    return figure
