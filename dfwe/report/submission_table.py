"""A submission in short: rows and scores by task, and the benchmark's score of it all."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from dfwe.report.submission import FETA, TaskPredictions
from dfwe.report.terminal.fitted_table import FittedTable


def draw_submission(tasks: Sequence[TaskPredictions]) -> RenderableType:
    """A row a task and their mean, scores times 100; then the submission score, delta + 0.1 x baseline."""
    table = FittedTable()
    table.add_column("task", no_wrap=True)
    for heading in ("rows", "model", "baseline", "transfer", "delta"):
        table.add_column(heading, justify="right")
    for task in tasks:
        scores = _scores(task.baseline, task.transfer)
        table.add_row(task.task, str(len(task.instance_ids)), task.model, *scores)
    baseline, transfer = (sum(scores) / len(tasks) for scores in zip(*_pairs(tasks), strict=True))
    table.add_section()
    table.add_row(f"mean of {len(tasks)} tasks", "", "", *_scores(baseline, transfer), style="bold")
    return Group(table, Text(_verdict(tasks, score=transfer - baseline + 0.1 * baseline)))


def _pairs(tasks: Sequence[TaskPredictions]) -> list[tuple[float, float]]:
    return [(task.baseline, task.transfer) for task in tasks]


def _scores(baseline: float, transfer: float) -> tuple[str, str, str]:
    return f"{100 * baseline:.2f}", f"{100 * transfer:.2f}", f"{100 * (transfer - baseline):+.2f}"


def _verdict(tasks: Sequence[TaskPredictions], *, score: float) -> str:
    lacking = [name for name in FETA if name not in {task.task for task in tasks}]
    of_what = f"of {len(tasks)} tasks alone, without {', '.join(lacking)}" if lacking else "of all seven tasks"
    return f"submission score, delta + 0.1 x baseline, {of_what}: {100 * score:.2f}"
