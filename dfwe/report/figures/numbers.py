"""The picture of a sweep over the number of sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev

from matplotlib.figure import Figure

from dfwe.report.figures.style import CYCLE, new_figure, short, styled

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
APART = 0.07  # targets of the same number: their spreads would hide each other


@styled
def draw_numbers(by_target: Mapping[str, Mapping[int, Sequence[float]]], *, merge: str) -> Figure:
    """Test scores times 100 by number of sources, a line a target: the mean, and one standard deviation around."""
    figure, axes = new_figure(3.3 + 0.2 * len(by_target))
    for place, (target, by_number) in enumerate(by_target.items()):
        means = [100 * fmean(scores) for scores in by_number.values()]
        spread = [100 * stdev(scores) if len(scores) > 1 else 0.0 for scores in by_number.values()]
        colour, marker = CYCLE[place % len(CYCLE)], MARKERS[place % len(MARKERS)]
        beside = APART * (place - (len(by_target) - 1) / 2)
        axes.errorbar(
            [number + beside for number in by_number],
            means,
            yerr=spread,
            marker=marker,
            color=colour,
            capsize=3,
            elinewidth=1.1,
            label=short(target),
        )
    axes.set_xlabel("number of sources")
    axes.set_ylabel(f"test score of {short(merge)} × 100")
    axes.set_xticks(sorted({number for by_number in by_target.values() for number in by_number}))
    figure.legend(loc="outside upper left", ncols=1 if len(by_target) < 4 else 2)
    return figure
