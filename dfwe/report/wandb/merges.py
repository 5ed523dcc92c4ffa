"""Turn the merges of a study into values for W&B: what a run is called, what made it, its trials, its numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfwe.report.columns import (
    COST_COLUMNS,
    MERGE_COLUMNS,
    MODEL_COLUMNS,
    coefficient,
    nested,
    task_differences,
    task_score,
)
from dfwe.report.names import in_words, name_of
from dfwe.report.run_folder import Run
from dfwe.report.study_results import StudyResults, as_study
from dfwe.report.tables import Column, values
from dfwe.report.trials import SearchTrial

TRIAL = "trial"
LONGEST = 128  # letters of a group that the server takes
_ORIGIN = ("seed", "decode", "precision", "parent", "command")


@dataclass(frozen=True)
class MergeRun:
    """Hold a merge of a study as a run; `history` has a row per trial, scores are fractions in [0, 1]."""

    run_id: str
    name: str  # its key
    title: str  # what people read
    group: str
    config: Mapping[str, Any]
    history: tuple[Mapping[str, float | int], ...]
    summary: Mapping[str, float]


def merge_runs(
    raw: Mapping[str, Any], *, folder: Path, described: Mapping[str, Mapping[str, Any]]
) -> tuple[MergeRun, ...]:
    """Return the merges of a study's results; `described` has by name the method and search that made each.

    The id is a digest of the stage that made the merge, its name and the target: the same command gives the same ids.
    """
    results = as_study(raw)
    run, columns = Run(folder, results), number_columns(results)
    group = group_of(results.target, sources=results.sources, model=raw["model"])
    return tuple(
        MergeRun(
            run_id=_digest(row["stage"], row["name"], results.target),
            name=row["name"],
            title=name_of(row),
            group=group,
            config={
                **_origin(results),
                "merge": name_of(row),
                **described.get(row["name"], {}),
                **{"stage": row["stage"], "picked": row["picked"], "alpha": in_words(row["coefficients"])},
            },
            history=tuple(_history(run.trials(row["name"]))),
            summary=values([*columns, *(coefficient(name, heading=name) for name in row["coefficients"])], row),
        )
        for row in results.of_kind("merge")
    )


def number_columns(results: StudyResults) -> list[Column]:
    """Return all columns of numbers that rows of these results can have."""
    by_task = [
        column
        for task in results.tasks
        for column in (task_score(task, split="dev"), task_score(task, split="test"), *task_differences(task))
    ]
    numbers = (column for column in MERGE_COLUMNS if column.is_numeric and column.key != "dev")
    return [*MODEL_COLUMNS, *numbers, *nested("cost", COST_COLUMNS), *by_task]


def group_of(target: str, *, sources: Sequence[str], model: str) -> str:
    """Return `target | sources | model`; where that is longer than a server takes its end is a digest."""
    group = " | ".join((target, ", ".join(sources), model.removeprefix("parent ")))
    return group if len(group) <= LONGEST else f"{group[: LONGEST - 9]} {_digest(group)[:8]}"


def table(raw: Mapping[str, Any]) -> tuple[list[str], list[list[Any]]]:
    """Return the study's final table: its columns, and a row per model."""
    results = as_study(raw)
    columns = number_columns(results)
    numbers = [values(columns, row) for row in results.rows]
    keys = list(dict.fromkeys(key for row in numbers for key in row))
    rows = [
        [name_of(row), row["kind"], *(numbers_of_row.get(key) for key in keys)]
        for row, numbers_of_row in zip(results.rows, numbers, strict=True)
    ]
    return ["model", "kind", *keys], rows


def _origin(results: StudyResults) -> dict[str, Any]:
    """Return what all merges of a study share; sources are one text, which W&B can group by."""
    same = {key: results.raw[key] for key in _ORIGIN if key in results.raw}
    model = results.raw["model"].removeprefix("parent ")
    return {"target": results.target, **same, "sources": ", ".join(results.sources), "model": model}


def _history(trials: Sequence[SearchTrial]) -> Iterator[Mapping[str, float | int]]:
    """Yield a row per trial, in order; a pruned one has a bound in place of a score."""
    best: float | None = None
    for trial in trials:
        if trial.score is not None:
            best = trial.score if best is None else max(best, trial.score)
        numbers = {"score": trial.score, "bound": trial.bound, "seconds": trial.seconds, "best": best}
        alphas = {f"alpha/{expert}": value for expert, value in trial.coefficients.items()}
        yield {TRIAL: trial.number, **{key: value for key, value in numbers.items() if value is not None}, **alphas}


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
