"""Draw searches: every candidate's dev score, candidates on the simplex of coefficients, lines between experts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dfwe.metrics.barrier import ExpertPath
from dfwe.report.figures.style import (
    BLUE,
    INK,
    MUTED,
    PANEL_LETTERS,
    SCORES,
    VERMILION,
    new_figure,
    new_panels,
    short,
    styled,
    tip,
)
from dfwe.report.names import expert_name
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


HEIGHT = 3**0.5 / 2
CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, HEIGHT]])


@dataclass(frozen=True)
class Projection:
    """Hold up to three experts, and their shares among themselves in each trial that was scored.

    `hidden` is the mean share that the other experts have in these trials. Trials that give the shown experts nothing
    have no place and are left out, `left_out` counts them.
    """

    experts: tuple[str, ...]
    numbers: tuple[int, ...]
    shares: Float[np.ndarray, "trials experts"]
    scores: tuple[float, ...]
    hidden: float
    left_out: int


def project(trials: Sequence[SearchTrial], *, selected: Mapping[str, float]) -> Projection:
    """Project trials to the three experts with the largest selected coefficients, in the order of the experts."""
    largest = sorted(selected, key=lambda name: -selected[name])[:3]
    experts = tuple(name for name in selected if name in largest)
    scored = [trial for trial in trials if trial.score is not None]
    visible = [trial for trial in scored if sum(trial.coefficients.get(name, 0.0) for name in experts) > 1e-9]
    raw = np.array([[trial.coefficients.get(name, 0.0) for name in experts] for trial in visible])
    raw = raw.reshape(len(visible), len(experts))
    totals = raw.sum(axis=1)
    scores = tuple(trial.score for trial in visible if trial.score is not None)
    hidden = float(np.mean(1.0 - totals)) if visible else 0.0
    numbers = tuple(trial.number for trial in visible)
    return Projection(experts, numbers, raw / totals[:, None], scores, max(0.0, hidden), len(scored) - len(visible))


def places(shares: Float[np.ndarray, "trials 3"]) -> Float[np.ndarray, "trials 2"]:
    """Return places in the triangle: the first expert at its left corner, the second right, the third on top."""
    spots: Float[np.ndarray, "trials 2"] = shares @ CORNERS
    return spots


@styled
def draw_simplex(projection: Projection, *, selected: int | None) -> Figure:
    """Draw each trial at its shares, coloured by dev score times 100; the selected trial has a ring."""
    if len(projection.experts) == 2:
        return _line(projection, selected=selected)
    figure, axes = new_figure(4.6)
    axes.set_aspect("equal")
    axes.axis("off")
    _grid(axes)
    spots = places(projection.shares)
    points = _scatter(axes, spots, projection=projection, selected=selected)
    names = [short(expert_name(name), most=20) for name in projection.experts]
    axes.text(-0.08, -0.05, names[0], ha="left", va="top")
    axes.text(1.08, -0.05, names[1], ha="right", va="top")
    axes.text(0.5, HEIGHT + 0.05, names[2], ha="center", va="bottom")
    axes.set_xlim(-0.1, 1.1)
    axes.set_ylim(-0.16, HEIGHT + 0.14)
    figure.colorbar(points, ax=axes, orientation="horizontal", shrink=0.7, label="dev score × 100", aspect=28)
    return figure


def _tips(projection: Projection) -> list[str]:
    """Write each trial's number, score and shares."""
    names = [expert_name(name) for name in projection.experts]
    return [
        f"evaluation {number}: {100 * score:.1f}; "
        + ", ".join(f"{name} {share:.2f}" for name, share in zip(names, shares, strict=True))
        for number, score, shares in zip(projection.numbers, projection.scores, projection.shares, strict=True)
    ]


def _line(projection: Projection, *, selected: int | None) -> Figure:
    figure, axes = new_figure(3.0)
    spots = np.stack([projection.shares[:, 1], 100 * np.array(projection.scores)], axis=1)
    _scatter(axes, spots, projection=projection, selected=selected)
    first, second = (short(expert_name(name)) for name in projection.experts)
    axes.set_xlim(-0.03, 1.03)
    axes.set_xlabel(f"share of {second} (the rest: {first})")
    axes.set_ylabel("dev score × 100")
    return figure


def _scatter(
    axes: Axes, spots: Float[np.ndarray, "trials 2"], *, projection: Projection, selected: int | None
) -> PathCollection:
    """Draw the trials at their spots, coloured by score, and a ring around the selected one."""
    scores = [100 * score for score in projection.scores]
    points = axes.scatter(
        spots[:, 0], spots[:, 1], c=scores, cmap=SCORES, s=42, edgecolors=INK, linewidths=0.5, zorder=3
    )
    tip(points, _tips(projection))
    for spot in spots[np.array(projection.numbers) == selected]:
        axes.scatter(spot[0], spot[1], s=190, facecolors="none", edgecolors=VERMILION, linewidths=2.2, zorder=4)
    return points


def _grid(axes: Axes) -> None:
    """Draw the triangle, and lines at quarters of each share."""
    for quarter in (0.25, 0.5, 0.75):
        for turn in range(3):
            ends = np.array([[quarter, 1 - quarter, 0.0], [quarter, 0.0, 1 - quarter]])
            axes.plot(*places(np.roll(ends, turn, axis=1)).T, color=INK, linewidth=0.5, alpha=0.25)
    axes.plot(*CORNERS[[0, 1, 2, 0]].T, color=INK, linewidth=1.0)


@styled
def draw_interpolations(paths: Sequence[ExpertPath]) -> Figure:
    """Draw a small picture per pair, all on one scale: its scores, the straight line, and the barrier times 100."""
    figure, panels = new_panels(len(paths), margin=0.7, height=1.45, share_x=True)
    for axes, path in zip(panels, paths, strict=True):
        _draw_path(axes, path)
    figure.supxlabel("share of the second expert", fontsize=10)
    figure.supylabel("dev score × 100", fontsize=10)
    return figure


def _draw_path(axes: Axes, path: ExpertPath) -> None:
    scores = [100 * score for score in path.scores]
    axes.plot(path.shares, scores, color=BLUE, marker="o", markersize=3)
    axes.set_title(
        f"{short(expert_name(path.first), most=18)} →\n{short(expert_name(path.second), most=18)}",
        loc="left",
        fontsize=PANEL_LETTERS,
    )
    axes.set_xticks((0, 0.5, 1))
    if path.losses is None or path.barrier is None:
        return
    axes.plot((0, 1), (scores[0], scores[-1]), color=MUTED, linestyle="--", linewidth=1.0)
    place = path.losses.index(max(path.losses))
    axes.vlines(path.shares[place], scores[place], scores[place] + 100 * path.barrier, color=VERMILION, linewidth=1.5)
    axes.set_title(f"barrier\n{100 * path.barrier:.1f}", loc="right", fontsize=PANEL_LETTERS, color=VERMILION)
