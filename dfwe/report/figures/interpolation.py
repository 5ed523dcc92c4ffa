"""Lines between pairs of experts: the dev score of their mixtures, and the barrier between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from dfwe.report.figures.style import CYCLE, new_figure, short, styled

LINES = ("-", "--", "-.", ":")


@dataclass(frozen=True)
class PairLine:
    """Dev scores, fractions, of mixtures of two experts; `shares` are the second's, from 0 to 1."""

    first: str
    second: str
    shares: tuple[float, ...]
    scores: tuple[float, ...]

    @property
    def barrier(self) -> float:
        """The most by which a mixture scores less than the straight line between the two experts; 0 where none does.

        Frankle et al. (2020), Linear Mode Connectivity, with scores in place of errors.
        """
        start, end = self.scores[0], self.scores[-1]
        straight = [start + (end - start) * share for share in self.shares]
        return max(0.0, *(line - score for line, score in zip(straight, self.scores, strict=True)))


@styled
def draw_interpolations(paths: Sequence[PairLine]) -> Figure:
    """A line a pair, its barrier times 100 in the legend."""
    figure, axes = new_figure(3.2 + 0.2 * len(paths))
    for number, path in enumerate(paths):
        label = f"{short(path.first, most=16)} → {short(path.second, most=16)}: barrier {100 * path.barrier:.1f}"
        colour, line = CYCLE[number % len(CYCLE)], LINES[number % len(LINES)]
        scores = [100 * score for score in path.scores]
        axes.plot(path.shares, scores, color=colour, linestyle=line, marker="o", markersize=3.5, label=label)
    axes.set_xlabel("share of the second expert")
    axes.set_ylabel("dev score × 100")
    figure.legend(loc="outside upper left")
    return figure
