"""Draw the trace of a search: every candidate's dev score, and the best so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dfwe.report.figures.style import BLUE, INK, MUTED, VERMILION, new_figure, short, styled, tip
from dfwe.report.trials import SearchTrial

LINES = (":", "--", "-.")


def best_so_far(trials: Sequence[SearchTrial]) -> list[tuple[int, float]]:
    """Return the number of each scored trial and the best score until then."""
    best, scores = float("-inf"), []
    for trial in trials:
        if trial.score is not None:
            best = max(best, trial.score)
            scores.append((trial.number, best))
    return scores


@styled
def draw_trace(trials: Sequence[SearchTrial], *, selected: int | None, levels: Mapping[str, float]) -> Figure:
    """Draw the dev score times 100 by the number of the evaluation.

    Stopped trials are crosses at the bound that they could not exceed; the `selected` trial is a star; `levels`
    are up to three dev scores to compare with, such as the best expert's, as lines.
    """
    figure, axes = new_figure(3.7)
    scored = [trial for trial in trials if trial.score is not None]
    stopped = [trial for trial in trials if trial.score is None and trial.bound is not None]
    _points(axes, scored, marker="o", color=MUTED, label="a candidate")
    if stopped:
        _points(axes, stopped, marker="x", color=MUTED, label="stopped: at most")
    best = best_so_far(trials)
    axes.step([n for n, _ in best], [100 * s for _, s in best], where="post", color=BLUE, label="best so far")
    selection = [trial for trial in scored if trial.number == selected]
    if selection:
        _points(axes, selection, marker="*", color=VERMILION, label="kept", size=150.0)
    for line, (name, score) in zip(LINES, levels.items(), strict=False):
        label = f"{short(name, most=24)}: {100 * score:.1f}"
        axes.axhline(100 * score, color=INK, linestyle=line, linewidth=1.0, label=label)
    axes.set_xlabel("evaluation")
    axes.set_ylabel("dev score × 100")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside upper center", ncols=2)
    return figure


def _points(
    axes: Axes, trials: Sequence[SearchTrial], *, marker: str, color: str, label: str, size: float = 26.0
) -> None:
    scores = [100 * (trial.score if trial.score is not None else trial.bound or 0.0) for trial in trials]
    points = axes.scatter([t.number for t in trials], scores, marker=marker, color=color, label=label, s=size, zorder=3)
    at_most = "at most " if label.startswith("stopped") else ""
    tip(points, [f"evaluation {t.number}: {at_most}{score:.1f}" for t, score in zip(trials, scores, strict=True)])
