"""Register every number that a row of results can have: the terminal, the page, W&B and Markdown draw from here.

A column that is added to `MODEL_COLUMNS`, `MERGE_COLUMNS` or `COST_COLUMNS` is shown in all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dfwe.report.names import display_name, expert_name, name_of
from dfwe.report.numbers import seconds_in_words, size_in_words
from dfwe.report.study_results import Record
from dfwe.report.tables import MISSING, Cell, Column, difference, number, p_value, score, text


def _score(split: str) -> Callable[[Record], Cell]:
    def cell(row: Record) -> Cell:
        scores = row.get(split)
        return MISSING if scores is None else score(scores["score"], ends=scores.get("interval"))

    return cell


def _model(row: Record) -> Cell:
    expert = f"(= {display_name(row['is_expert'], kind='expert')})" if row.get("is_expert") else ""
    return Cell(name_of(row), small="" if row["kind"] == "baseline" else row["kind"], brief=expert)


def _selection(row: Record) -> Cell:
    return text(f"= {expert_name(str(row['is_expert']))}" if row.get("is_expert") else row.get("picked", MISSING.text))


def _mixture(key: str) -> Callable[[Record], Cell]:
    def cell(row: Record) -> Cell:
        mixture = row.get("mixture") or {}
        if key == "delta":
            return difference(mixture)
        ends = mixture.get("interval") if key == "test" else None
        return score(mixture[key], ends=ends) if key in mixture else MISSING

    return cell


def _less(role: str, heading: str, *, other: str) -> Column:
    def cell(row: Record) -> Cell:
        return difference(row.get("against", {}).get(role, {}))

    return Column(f"delta_to/{role}", heading, cell, f"test score less {other}", is_optional=True)


def _count(key: str, *, digits: int = 0) -> Callable[[Record], Cell]:
    return lambda row: number(row.get(key), digits=digits)


def _measured(key: str, write: Callable[[float], str]) -> Callable[[Record], Cell]:
    def cell(cost: Record) -> Cell:
        value = cost.get(key)
        return Cell("unknown") if value is None else Cell(write(float(value)), float(value))

    return cell


MODEL = Column("model", "model", _model, is_numeric=False)
MERGE = Column("merge", "merge", lambda row: text(name_of(row)), is_numeric=False)
DEV = Column("dev", "dev", _score("dev"))
TEST = Column("test", "test", _score("test"))
DELTA = Column("delta", "delta", difference, "test score less the baseline's", is_optional=True)
P_VALUE = Column("p", "p", lambda row: p_value(row.get("p")), note="two-sided", is_optional=True)
OPTIMISM = Column(
    "optimism", "optimism", lambda row: difference({"delta": row.get("optimism")}), "dev less test", is_optional=True
)

MODEL_COLUMNS: Sequence[Column] = (TEST, DELTA, P_VALUE, DEV)
MERGE_COLUMNS: Sequence[Column] = (
    Column("kept", "kept", _selection, "how the coefficients were chosen; = is one expert as it is", is_numeric=False),
    DEV,
    Column("mixture_dev", "mixture\non dev", _mixture("dev"), "the best mixture, experts apart", is_optional=True),
    Column("mixture_test", "mixture\non test", _mixture("test"), "the same mixture's test score", is_optional=True),
    Column(
        "mixture_delta", "Δ of the\nmixture", _mixture("delta"), "its test score less the baseline's", is_optional=True
    ),
    _less("equally_trained", "Δ trained\nas long", other="that of the baseline trained as long"),
    _less("uniform", "Δ uniform", other="the uniform merge's"),
    _less("best_expert", "Δ best\nexpert", other="that of the best expert by dev"),
    OPTIMISM,
    Column("evaluations", "evaluations", _count("evaluations"), is_optional=True),
    Column("seconds", "seconds", _count("seconds", digits=1), note="of the search", is_optional=True),
)
COST_COLUMNS: Sequence[Column] = (
    Column("train_steps", "training\nsteps", _count("train_steps")),
    Column("train_tokens", "tokens\nread", _count("train_tokens")),
    Column("dev_answers", "answers\non dev", _count("dev_answers")),
    Column("cost_seconds", "time", _measured("seconds", seconds_in_words)),
    Column("bytes", "disk", _measured("bytes", size_in_words)),
)
SEARCH_COLUMNS: Sequence[Column] = (
    Column("evaluated", "evaluated", _count("evaluated"), is_optional=True),
    Column("repeats", "repeats", _count("repeats"), "repeated points, which cost nothing", is_optional=True),
    Column("distinct_scores", "distinct\nscores", _count("distinct_scores"), is_optional=True),
    Column("plateau", "plateau", _count("plateau"), "most evaluations in a row without a new best", is_optional=True),
    Column(
        "diameters",
        "simplex\ndiameter",
        lambda row: _first_and_last(row.get("diameters")),
        note="in logits, at the first and at the last iteration",
        is_numeric=False,
        is_optional=True,
    ),
)
DECODING_COLUMNS: Sequence[Column] = (
    Column("test", "test", lambda way: score(way["score"])),
    Column("delta", "delta", difference, is_optional=True),
    Column("same", "same\nanswers", lambda way: _share(way, "same"), "share, times 100"),
    Column("no_label", "no\nlabel", lambda way: _share(way, "no_label"), "share, times 100", is_optional=True),
)


def nested(key: str, columns: Sequence[Column]) -> list[Column]:
    """Return the columns for rows that have what the columns read below a key."""
    return [
        Column(c.key, c.heading, _below(key, c.cell), c.note, is_numeric=c.is_numeric, is_optional=c.is_optional)
        for c in columns
    ]


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


def _below(key: str, cell: Callable[[Any], Cell]) -> Callable[[Mapping[str, Any]], Cell]:
    return lambda row: cell(row.get(key) or {})


def _share(row: Record, key: str) -> Cell:
    return score(row[key]) if key in row else MISSING


def _first_and_last(diameters: Sequence[float] | None) -> Cell:
    return text(f"{diameters[0]:.3g} → {diameters[-1]:.3g}") if diameters else MISSING
