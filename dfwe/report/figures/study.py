"""Choose the figures of a finished study, with captions; what its results do not have is left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from matplotlib.figure import Figure

from dfwe.metrics.barrier import ExpertPath
from dfwe.report.figures.scores import (
    Curve,
    count_confusions,
    draw_coefficients,
    draw_confusion,
    draw_curves,
    draw_leave_one_out,
)
from dfwe.report.figures.search import draw_interpolations, draw_simplex, draw_trace, project
from dfwe.report.names import display_name, expert_name, name_of
from dfwe.report.run_folder import Run
from dfwe.report.study_results import Record, StudyResults, rank_by_dev
from dfwe.report.trials import on_simplex
from dfwe.search.space import SETTING_PREFIX
from dfwe.values.names import BASELINE, UNIFORM

MOST_MERGES = 4  # that are drawn, the one that was asked for first
MOST_BARS = 30
_MOST_PAIRS = 10
_MOST_CURVES = 12  # in a picture; more trainings have several
_STAGES = {"train": "trained on its tasks", "finetune": "fine-tuned on the target"}


@dataclass(frozen=True)
class NamedFigure:
    """Hold a figure, the name of its files, and the section of the page that it belongs to."""

    name: str
    section: str  # learning, search, coefficients, errors, sweep
    title: str
    caption: str
    figure: Figure


def study_figures(run: Run) -> Iterator[NamedFigure]:
    """Yield the study's figures in reading order."""
    results = run.results
    merges = [] if results.tasks else figure_merges(results)  # of several tasks the tables suffice
    yield from _curves(results)
    for row in merges:
        yield from _search(run, row)
    yield from _coefficients(merges)
    for row in merges:
        yield from _leave_one_out(row)
    yield from _interpolations(results)
    yield from _confusions(run)


def figure_merges(results: StudyResults) -> list[Record]:
    """Return the merges with figures of their own: the one that was asked for, then the best on dev."""
    merges = [row for row in results.of_kind("merge") if row["name"] != UNIFORM]
    ranked = sorted(merges, key=rank_by_dev, reverse=True)
    return sorted(ranked, key=lambda row: row["name"] != results.headline_merge)[:MOST_MERGES]


def training_curves(results: StudyResults) -> Iterator[Curve]:
    """Yield the learning curve of every training that was scored on dev, in the order in which they were made."""
    titles = {row["name"]: str(row["title"]) for row in results.rows if row.get("title")}
    for record in results.raw.get("curves") or ():
        target, on_source = (tuple(epoch.get(key) for epoch in record["epochs"]) for key in ("target", "own"))
        if {*target, *on_source} - {None}:  # pre-training has no dev split
            name, stage = str(record["name"]), _STAGES.get(record["part"])
            title = expert_name(name) if stage else display_name(name, kind="baseline")
            source = () if set(on_source) == {None} else on_source
            stage = stage or "trained from the parent"
            yield Curve(titles.get(name, title), stage, target, source, int(record["best_epoch"]))


def _curves(results: StudyResults) -> Iterator[NamedFigure]:
    curves = list(training_curves(results))
    caption = (
        "Dev scores after each epoch: on the target whole, on a training's own task dashed. A star is the epoch that "
        "was kept; where it is the last one, more epochs may bring more."
    )
    for start in range(0, len(curves), _MOST_CURVES):
        number = 1 + start // _MOST_CURVES
        name, part = (f"curves_{number}", f", part {number}") if len(curves) > _MOST_CURVES else ("curves", "")
        figure = draw_curves(curves[start : start + _MOST_CURVES])
        yield NamedFigure(name, "learning", f"Learning curves{part}", caption, figure)


def _search(run: Run, row: Record) -> Iterator[NamedFigure]:
    trials, name, title, selected = run.trials(row["name"]), row["name"], name_of(row), row.get("trial")
    if len(trials) < 2:
        return
    best = max(run.results.of_kind("expert"), key=rank_by_dev, default=None)
    caption = f"Every candidate's dev score, in the order in which {title} evaluated them."
    if best is not None:
        caption += f" The best expert by dev is {name_of(best)}."
    if any(trial.score is None for trial in trials):
        caption += " A cross is a candidate that was stopped, at the most that it could still have scored."
    levels = [("baseline", row) for row in run.results.of_kind("baseline") if row["name"] == BASELINE] + (
        [("best expert", best)] if best else []
    )
    scores = {key: level["dev"]["score"] for key, level in levels if level["dev"]["score"] is not None}
    figure = draw_trace(trials, selected=selected, levels=scores)
    yield NamedFigure(f"trace_{name}", "search", f"Search of {title}", caption, figure)
    if not on_simplex(trials) or len(row["coefficients"]) < 2:
        return
    simplex = project(trials, selected=row["coefficients"])
    if simplex.numbers:
        caption = _simplex_caption(simplex.hidden, num_experts=len(row["coefficients"]), left_out=simplex.left_out)
        figure = draw_simplex(simplex, selected=selected)
        yield NamedFigure(f"simplex_{name}", "search", f"Where {title} searched", caption, figure)


def _simplex_caption(hidden: float, *, num_experts: int, left_out: int) -> str:
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


def _coefficients(rows: Sequence[Record]) -> Iterator[NamedFigure]:
    merges = {
        name_of(row): {expert_name(name): value for name, value in row["coefficients"].items()}
        for row in rows
        if row["coefficients"]
    }
    if not merges:
        return
    caption = "Coefficients that were kept, by expert."
    if len({name for coefficients in merges.values() for name in coefficients}) > MOST_BARS:
        merges = {name: _mean_by_expert(coefficients) for name, coefficients in merges.items()}
        caption = "Coefficients that were kept, the mean over groups of tensors by expert; the table has them all."
    yield NamedFigure("coefficients", "coefficients", "Coefficients", caption, draw_coefficients(merges))


def _mean_by_expert(coefficients: Mapping[str, float]) -> dict[str, float]:
    """Average coefficients with names like `group/expert`."""
    groups: dict[str, list[float]] = {}
    for name, value in coefficients.items():
        groups.setdefault(name.rsplit("/", 1)[-1], []).append(value)
    return {name: fmean(values) for name, values in groups.items()}


def _leave_one_out(row: Record) -> Iterator[NamedFigure]:
    without, whole = row.get("leave_one_out"), row["dev"]["score"]
    if not without or whole is None:
        return
    losses = {expert_name(name): whole - score for name, score in without.items() if score is not None}
    caption = (
        "The dev score that is lost when an expert is left out and the others' coefficients are scaled to the same "
        "sum (in a box they stay as they are); below zero the merge is better without it."
    )
    experts = [name for name, value in row["coefficients"].items() if value and not name.startswith(SETTING_PREFIX)]
    experts = list(dict.fromkeys(expert_name(name.rsplit("/", 1)[-1]) for name in experts))
    if missing := [name for name in experts if name not in losses]:
        caption += f" Without {', '.join(missing)} there is no merge, or no score."
    title = f"What each expert brings to {name_of(row)}"
    yield NamedFigure(f"leave_one_out_{row['name']}", "coefficients", title, caption, draw_leave_one_out(losses))


def _interpolations(results: StudyResults) -> Iterator[NamedFigure]:
    paths = [ExpertPath.of(record) for record in results.raw.get("interpolations") or ()]
    paths = sorted((path for path in paths if len(path.shares) > 1), key=lambda path: -(path.barrier or 0.0))
    if not paths:
        return
    caption = (
        "Dev scores of mixtures of two experts. The barrier, upright and red, is the most by which a mixture falls "
        "below the straight line between them, dashed; in points."
    )
    if len(paths) > _MOST_PAIRS:
        caption += f" Shown are the {_MOST_PAIRS} pairs with the highest barriers of {len(paths)}."
    figure = draw_interpolations(paths[:_MOST_PAIRS])
    yield NamedFigure("interpolations", "coefficients", "Between pairs of experts", caption, figure)


def _confusions(run: Run) -> Iterator[NamedFigure]:
    record, names = run.answers(), run.results.names
    if record is None or record["task"]["kind"] != "label" or "gold" not in record:
        return
    gold, labels = [references[0] for references in record["gold"]], record["task"]["labels"]
    caption = "Test instances by gold label and answer; shades are shares of a gold label."
    for name in ("baseline", str(run.results.headline.get("name"))):
        if name in record["models"]:
            rows, columns, counts = count_confusions(gold, answers=record["models"][name], labels=labels)
            figure = draw_confusion(rows, columns=columns, counts=counts)
            yield NamedFigure(f"confusion_{name}", "errors", f"Answers of {names[name]}", caption, figure)
