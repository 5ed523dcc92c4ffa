"""Which pictures a finished study has, with what they show in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from matplotlib.figure import Figure

from dfwe.report.curves import curves_of
from dfwe.report.figures.coefficients import draw_coefficients
from dfwe.report.figures.confusion import count_confusions, draw_confusion
from dfwe.report.figures.curves import draw_curves
from dfwe.report.figures.interpolation import draw_interpolations
from dfwe.report.figures.leave_one_out import draw_leave_one_out
from dfwe.report.figures.simplex import draw_simplex, project
from dfwe.report.figures.style import save
from dfwe.report.figures.trace import draw_trace
from dfwe.report.names import expert_name, name_of, names_of
from dfwe.report.numbers import rank_by_dev
from dfwe.report.pair_line import PairLine
from dfwe.report.run_folder import Run
from dfwe.report.trials import on_simplex
from dfwe.values.names import UNIFORM

MOST_MERGES = 4  # that are drawn, the one that was asked for first
MOST_PAIRS = 10
MOST_BARS = 30
MOST_CURVES = 12  # in a picture; more trainings have several


@dataclass(frozen=True)
class Picture:
    """A figure, the name of its files, and the section of the page that it belongs to."""

    name: str
    section: str  # learning, search, coefficients, errors
    title: str
    caption: str
    figure: Figure


def study_pictures(run: Run) -> Iterator[Picture]:
    """The study's pictures in reading order; those that its results have nothing for are left out."""
    yield from _curves(run)
    if run.is_multitask:
        return
    for row in shown_merges(run):
        yield from _search(run, row)
    yield from _coefficients(run)
    for row in shown_merges(run):
        yield from _leave_one_out(row)
    yield from _interpolations(run)
    yield from _confusions(run)


def write_pictures(run: Run) -> list[Path]:
    """Writes the study's pictures as PNG and SVG into `pictures/` of its folder."""
    folder = run.path / "pictures"
    return [path for each in study_pictures(run) for path in save(each.figure, folder=folder, name=each.name)]


def shown_merges(run: Run) -> list[Mapping[str, Any]]:
    """The merges with pictures of their own: the one that was asked for, then the best on dev."""
    merges = [row for row in run.rows("merge") if row["name"] != UNIFORM]
    ranked = sorted(merges, key=rank_by_dev, reverse=True)
    return sorted(ranked, key=lambda row: row["name"] != run.asked)[:MOST_MERGES]


def _curves(run: Run) -> Iterator[Picture]:
    curves = list(curves_of(run.results))
    caption = (
        "Dev scores after each epoch: on the target whole, on a training's own task dashed. A star is the epoch that "
        "was kept; where it is the last one, more epochs may bring more."
    )
    for place in range(0, len(curves), MOST_CURVES):
        part = f", part {1 + place // MOST_CURVES}" if len(curves) > MOST_CURVES else ""
        name = f"curves_{1 + place // MOST_CURVES}" if part else "curves"
        figure = draw_curves(curves[place : place + MOST_CURVES])
        yield Picture(name, "learning", f"Learning curves{part}", caption, figure)


def _search(run: Run, row: Mapping[str, Any]) -> Iterator[Picture]:
    trials = run.trials(row["name"])
    name, shown, kept = row["name"], name_of(row), row.get("trial")
    if len(trials) < 2:
        return
    caption = f"Every candidate's dev score, in the order in which {shown} asked for them."
    if best := _best_expert(run):
        caption += f" The best expert by dev is {name_of(best)}."
    if any(trial.score is None for trial in trials):
        caption += " A cross is a candidate that was stopped, at the most that it could still have scored."
    figure = draw_trace(trials, kept=kept, levels=_levels(run))
    yield Picture(f"trace_{name}", "search", f"Search of {shown}", caption, figure)
    if not on_simplex(trials) or len(row["coefficients"]) < 2:
        return
    simplex = project(trials, kept=row["coefficients"])
    if simplex.numbers:
        yield Picture(
            f"simplex_{name}",
            "search",
            f"Where {shown} looked",
            _simplex_words(simplex.hidden, num_experts=len(row["coefficients"]), left_out=simplex.left_out),
            draw_simplex(simplex, kept=kept),
        )


def _simplex_words(hidden: float, *, num_experts: int, left_out: int) -> str:
    where = "on the line" if num_experts == 2 else "in the triangle"
    words = f"Each candidate's place {where} is its shares of the experts; a corner is an expert alone."
    if num_experts > 3:
        words += (
            " Shown are the three experts with the largest kept coefficients, their shares among themselves: the other "
            f"{num_experts - 3} hold {100 * hidden:.0f}% of a candidate in the mean."
        )
    if left_out:
        words += f" {left_out} candidates give these three nothing and are not shown."
    return f"{words} The kept one is ringed, where it was a candidate of the search."


def _best_expert(run: Run) -> Mapping[str, Any] | None:
    return max(run.rows("expert"), key=rank_by_dev, default=None)


def _levels(run: Run) -> dict[str, float]:
    """The dev scores to beat, where they are defined: the baseline's and the best expert's."""
    best = _best_expert(run)
    levels = [("baseline", row) for row in run.rows("baseline")]
    levels += [] if best is None else [("best expert", best)]
    return {name: row["dev"]["score"] for name, row in levels if row["dev"]["score"] is not None}


def _coefficients(run: Run) -> Iterator[Picture]:
    merges = {name_of(row): _by_names(row["coefficients"]) for row in shown_merges(run) if row["coefficients"]}
    if not merges:
        return
    caption = "Coefficients that were kept, by expert."
    if len({name for of in merges.values() for name in of}) > MOST_BARS:
        merges = {name: _mean_by_expert(of) for name, of in merges.items()}
        caption = "Coefficients that were kept, the mean over groups of tensors by expert; the table has them all."
    yield Picture("coefficients", "coefficients", "Coefficients", caption, draw_coefficients(merges))


def _by_names(coefficients: Mapping[str, float]) -> dict[str, float]:
    return {expert_name(name): value for name, value in coefficients.items()}


def _mean_by_expert(coefficients: Mapping[str, float]) -> dict[str, float]:
    """Of names like `group/expert`."""
    groups: dict[str, list[float]] = {}
    for name, value in coefficients.items():
        groups.setdefault(name.rsplit("/", 1)[-1], []).append(value)
    return {name: fmean(values) for name, values in groups.items()}


def _leave_one_out(row: Mapping[str, Any]) -> Iterator[Picture]:
    without, whole = row.get("leave_one_out"), row["dev"]["score"]
    if without and whole is not None:
        parts = {expert_name(name): whole - score for name, score in without.items() if score is not None}
        name = row["name"]
        caption = (
            "The dev score that is lost when an expert is left out and the others' coefficients are scaled to the same "
            "sum (in a box they stay as they are); below zero the merge is better without it."
        )
        if missing := [each for each in map(expert_name, _counted(row["coefficients"])) if each not in parts]:
            caption += f" Without {', '.join(missing)} there is no merge, or no score."
        figure = draw_leave_one_out(parts)
        yield Picture(
            f"leave_one_out_{name}", "coefficients", f"What each expert brings to {name_of(row)}", caption, figure
        )


def _counted(coefficients: Mapping[str, float]) -> list[str]:
    """The experts that have a part in a merge, whatever its groups."""
    named = [name for name, value in coefficients.items() if value and not name.startswith("rule.")]
    return list(dict.fromkeys(name.rsplit("/", 1)[-1] for name in named))


def _interpolations(run: Run) -> Iterator[Picture]:
    lines = [PairLine.of(found) for found in run.results.get("interpolations") or ()]
    lines = sorted((line for line in lines if len(line.shares) > 1), key=lambda line: -(line.barrier or 0.0))
    if lines:
        caption = (
            "Dev scores of mixtures of two experts. The barrier, upright and red, is the most by which a mixture falls "
            "below the straight line between them, dashed; in points."
        )
        if len(lines) > MOST_PAIRS:
            caption += f" Shown are the {MOST_PAIRS} pairs with the highest barriers of {len(lines)}."
        figure = draw_interpolations(lines[:MOST_PAIRS])
        yield Picture("interpolations", "coefficients", "Between pairs of experts", caption, figure)


def _confusions(run: Run) -> Iterator[Picture]:
    answers = run.answers()
    if answers is None or answers["task"]["kind"] != "label" or "gold" not in answers:
        return
    gold, names = [references[0] for references in answers["gold"]], names_of(run.rows())
    for name in ("baseline", run.results["headline"].get("name")):
        if name in answers["models"]:
            rows, columns, counts = count_confusions(
                gold, answers=answers["models"][name], labels=answers["task"]["labels"]
            )
            caption = "Test instances by gold label and answer; shades are shares of a gold label."
            figure = draw_confusion(rows, columns=columns, counts=counts)
            yield Picture(f"confusion_{name}", "errors", f"Answers of {names[name]}", caption, figure)
