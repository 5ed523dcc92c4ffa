"""Register every number that a row of results can have: the terminal, the page, W&B and Markdown draw from here.

A column that is added to `MODEL_COLUMNS`, `MERGE_COLUMNS` or `COST_COLUMNS` is shown in all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import fmean

from dfwe.report.names import display_name, expert_name, name_of
from dfwe.report.numbers import models_in_words, seconds_in_words, size_in_words
from dfwe.report.study_results import Record
from dfwe.report.tables import MISSING, Cell, Column, difference, number, p_value, score, text
from dfwe.values.names import BASELINE


def score_on(split: str) -> Column:
    """Return the column of scores on a split."""

    def cell(row: Record) -> Cell:
        scores = row.get(split)
        return MISSING if scores is None else score(scores["score"], ends=scores.get("interval"))

    return Column(split, split, cell)


def task_score(task: str, *, split: str) -> Column:
    """Return the column of the scores on one of several tasks."""

    def cell(row: Record) -> Cell:
        scores = row.get(split, {})
        scores_by_task = scores.get("tasks", {})
        if task not in scores_by_task:
            return MISSING
        return score(scores_by_task[task], ends=scores.get("intervals", {}).get(task))

    return Column(f"{split}/{task}", task, cell)


def task_differences(task: str) -> tuple[Column, Column]:
    """Return the columns of the difference on one of several tasks, and of its p-value."""

    def compared(row: Record) -> Record:
        difference_on_task: Record = row.get("differences", {}).get(task, {})
        return difference_on_task

    note = f"of {task}, two-sided, corrected by Holm over the tasks"
    return (
        Column(f"delta/{task}", f"Δ {task}", lambda row: difference(compared(row))),
        Column(f"p/{task}", "p", lambda row: p_value(compared(row).get("p_holm")), note),
    )


def coefficient(name: str, *, heading: str) -> Column:
    """Return the column of an expert's coefficients in merges."""
    return Column(f"alpha/{name}", heading, lambda row: number(row.get("coefficients", {}).get(name), digits=3))


def nested(key: str, columns: Sequence[Column]) -> list[Column]:
    """Return the columns for rows that have what the columns read below a key."""
    return [_nested(key, column) for column in columns]


def _nested(key: str, column: Column) -> Column:
    return replace(column, cell=lambda row: column.cell(row.get(key) or {}))


def _model(row: Record) -> Cell:
    expert = f"(= {display_name(row['is_expert'], kind='expert')})" if row.get("is_expert") else ""
    return Cell(name_of(row), small="" if row["name"] == BASELINE else row["kind"], brief=expert)


def _selection(row: Record) -> Cell:
    if row.get("is_expert"):
        return text(f"= {expert_name(str(row['is_expert']))}")
    return text(row.get("selection", MISSING.text))


def _mixture(key: str, heading: str, note: str) -> Column:
    def cell(row: Record) -> Cell:
        mixture = row.get("mixture") or {}
        if key == "delta":
            return difference(mixture)
        ends = mixture.get("interval") if key == "test" else None
        return score(mixture[key], ends=ends) if key in mixture else MISSING

    return Column(f"mixture_{key}", heading, cell, note, is_optional=True)


def _less(role: str, heading: str, *, other: str) -> Column:
    def cell(row: Record) -> Cell:
        return difference(row.get("against", {}).get(role, {}))

    return Column(f"delta_to/{role}", heading, cell, f"test score less {other}", is_optional=True)


def _number(key: str, heading: str = "", note: str = "", *, digits: int = 0, is_optional: bool = True) -> Column:
    return Column(key, heading or key, lambda row: number(row.get(key), digits=digits), note, is_optional=is_optional)


def _measured(key: str, write: Callable[[float], str]) -> Callable[[Record], Cell]:
    def cell(cost: Record) -> Cell:
        value = cost.get(key)
        return Cell("unknown") if value is None else Cell(write(float(value)), float(value))

    return cell


def _share(key: str, heading: str, *, is_optional: bool = False) -> Column:
    def cell(way: Record) -> Cell:
        return score(way[key]) if key in way else MISSING

    return Column(key, heading, cell, "share, times 100", is_optional=is_optional)


def _barrier(row: Record) -> Cell:
    return difference({"delta": row.get("median_barrier")})


def times_baseline(costs: Sequence[Record]) -> Cell:
    """Return what training and searching cost, the mean, and how many models answer where that is more than one."""
    times = [cost["times_baseline"] for cost in costs if cost.get("times_baseline") is not None]
    if len(times) < len(costs):
        return MISSING
    models = models_in_words([cost.get("models", 1) for cost in costs])
    return replace(number(fmean(times), digits=1), small=models, brief=models)


def _diameters(row: Record) -> Cell:
    diameters = row.get("diameters")
    return text(f"{diameters[0]:.3g} → {diameters[-1]:.3g}") if diameters else MISSING


MODEL = Column("model", "model", _model, is_numeric=False)
MERGE = Column("merge", "merge", lambda row: text(name_of(row)), is_numeric=False)
DEV, TEST = score_on("dev"), score_on("test")
DELTA = Column("delta", "delta", difference, "test score less the baseline's", is_optional=True)
P_VALUE = Column("p", "p", lambda row: p_value(row.get("p")), note="two-sided", is_optional=True)
OPTIMISM = Column(
    "optimism", "optimism", lambda row: difference({"delta": row.get("optimism")}), "dev less test", is_optional=True
)
EVALUATIONS, SECONDS = _number("evaluations"), _number("seconds", note="of the search", digits=1)

TIMES_BASELINE = Column(
    "times_baseline",
    "cost",
    lambda row: times_baseline([row.get("cost") or {}]),
    "tokens read to train and search, by the baseline's",
    is_optional=True,
)

MODEL_COLUMNS: Sequence[Column] = (TEST, DELTA, P_VALUE, DEV, TIMES_BASELINE)
MERGE_COLUMNS: Sequence[Column] = (
    Column(
        "selection",
        "kept",
        _selection,
        "how the coefficients were chosen; = is one expert as it is",
        is_numeric=False,
    ),
    DEV,
    _mixture("dev", "mixture\non dev", "the best mixture, experts apart"),
    _mixture("test", "mixture\non test", "the same mixture's test score"),
    _mixture("delta", "Δ of the\nmixture", "its test score less the baseline's"),
    _less("equally_trained", "Δ trained\nas long", other="that of the baseline trained as long"),
    _less("uniform", "Δ uniform", other="the uniform merge's"),
    _less("best_expert", "Δ best\nexpert", other="that of the best expert by dev"),
    Column("median_barrier", "barrier", _barrier, "median between two experts, on dev", is_optional=True),
    OPTIMISM,
    EVALUATIONS,
    SECONDS,
)
COST_COLUMNS: Sequence[Column] = (
    _number("train_steps", "training\nsteps", is_optional=False),
    _number("train_tokens", "tokens\nread", is_optional=False),
    _number("dev_answers", "answers\non dev", is_optional=False),
    _number("training", "training\nand search", "tokens read, those that are trained on three times"),
    _number("models", "models to\nanswer"),
    Column("cost_seconds", "time", _measured("seconds", seconds_in_words)),
    Column("bytes", "disk", _measured("bytes", size_in_words)),
)
SEARCH_COLUMNS: Sequence[Column] = (
    _number("evaluated"),
    _number("repeats", note="repeated points, which cost nothing"),
    _number("distinct_scores", "distinct\nscores"),
    _number("plateau", note="most evaluations in a row without a new best"),
    Column(
        "diameters",
        "simplex\ndiameter",
        _diameters,
        "in logits, at the first and at the last iteration",
        is_numeric=False,
        is_optional=True,
    ),
)
DECODING_COLUMNS: Sequence[Column] = (
    Column("test", "test", lambda way: score(way["score"])),
    Column("delta", "delta", difference, is_optional=True),
    _share("same", "same\nanswers"),
    _share("no_label", "no\nlabel", is_optional=True),
)
