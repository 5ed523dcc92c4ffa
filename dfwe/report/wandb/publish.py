"""Write a study's merges into W&B: a run per merge, with trials, numbers, table, pictures and, if set, the model."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfwe.report import columns
from dfwe.report.names import in_words, name_of
from dfwe.report.run_folder import Run
from dfwe.report.study_results import StudyResults, as_study
from dfwe.report.tables import Column, values
from dfwe.report.trials import SearchTrial
from dfwe.report.wandb.session import Session

MERGED = "merged"
TRIAL = "trial"
LONGEST = 128  # letters of a name that the server takes
_ORIGIN = ("seed", "decode", "precision", "parent", "command")
_OF_TRIALS = ("score", "best", "bound", "seconds", "alpha/*")


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


def publish(
    results: Mapping[str, Any], *, session: Session, described: Mapping[str, Mapping[str, Any]] | None = None
) -> None:
    """Write or update the runs of a finished study's merges, of job type `merge`.

    Pictures are every PNG in the study's folder and its `pictures/`. The merged model is that of the headline.
    """
    for merge in merge_runs(results, folder=session.folder, described=described or {}):
        run = session.open(
            run_id=merge.run_id, name=merge.title, group=merge.group, job_type="merge", config=merge.config
        )
        if run is not None:
            model = session.folder / MERGED
            with_model = session.artifact and model.is_dir() and merge.name == results.get("headline", {}).get("name")
            session.safely(lambda: _fill(run, merge=merge, results=results, folder=session.folder))  # noqa: B023
            if with_model:
                session.safely(lambda: run.log_artifact(_artifact(merge, folder=model)))  # noqa: B023
            session.safely(run.finish)


def show_study(run: Any, *, results: Mapping[str, Any], folder: Path) -> None:
    """Add the study's final table and its pictures to a run."""
    import wandb

    headings, rows = table(results)
    run.log({"models": wandb.Table(columns=headings, data=rows)})
    pictures = sorted([*folder.glob("*.png"), *folder.glob("pictures/*.png")])
    if pictures:
        run.log({f"pictures/{path.stem}": wandb.Image(str(path)) for path in pictures})


def merge_runs(
    raw: Mapping[str, Any], *, folder: Path, described: Mapping[str, Mapping[str, Any]]
) -> tuple[MergeRun, ...]:
    """Return the merges of a study's results; `described` has by name the method and search that made each.

    The id is a digest of the stage that made the merge, its name and the target: the same command gives the same ids.
    """
    results = as_study(raw)
    run, numbers = Run(folder, results), number_columns(results)
    model = results.raw["model"].removeprefix("parent ")
    origin = {key: results.raw[key] for key in _ORIGIN if key in results.raw}
    origin |= {"target": results.target, "sources": ", ".join(results.sources), "model": model}
    return tuple(
        MergeRun(
            run_id=_digest(row["stage"], row["name"], results.target),
            name=row["name"],
            title=name_of(row),
            group=group_of(results.target, sources=results.sources, model=model),
            config={
                **origin,
                "merge": name_of(row),
                **described.get(row["name"], {}),
                **{"stage": row["stage"], "selection_rule": row["selection"], "alpha": in_words(row["coefficients"])},
            },
            history=tuple(_history(run.trials(row["name"]))),
            summary=values([*numbers, *(columns.coefficient(name, heading=name) for name in row["coefficients"])], row),
        )
        for row in results.of_kind("merge")
    )


def number_columns(results: StudyResults) -> list[Column]:
    """Return all columns of numbers that rows of these results can have."""
    by_task: list[Column] = []
    for task in results.tasks:
        by_task += [columns.task_score(task, split=split) for split in ("dev", "test")]
        by_task += columns.task_differences(task)
    of_merges = [column for column in columns.MERGE_COLUMNS if column.is_numeric and column.key != "dev"]
    return [*columns.MODEL_COLUMNS, *of_merges, *columns.nested("cost", columns.COST_COLUMNS), *by_task]


def group_of(target: str, *, sources: Sequence[str], model: str) -> str:
    """Return `target | sources | model`; where that is longer than a server takes its end is a digest."""
    group = " | ".join((target, ", ".join(sources), model.removeprefix("parent ")))
    return group if len(group) <= LONGEST else f"{group[: LONGEST - 9]} {_digest(group)[:8]}"


def table(raw: Mapping[str, Any]) -> tuple[list[str], list[list[Any]]]:
    """Return the study's final table: its columns, and a row per model."""
    results = as_study(raw)
    registered = number_columns(results)
    numbers = [values(registered, row) for row in results.rows]
    keys = list(dict.fromkeys(key for of_row in numbers for key in of_row))
    rows = [
        [name_of(row), row["kind"], *map(of_row.get, keys)] for row, of_row in zip(results.rows, numbers, strict=True)
    ]
    return ["model", "kind", *keys], rows


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


def _fill(run: Any, *, merge: MergeRun, results: Mapping[str, Any], folder: Path) -> None:
    run.define_metric(TRIAL, summary="none")
    for key in _OF_TRIALS:  # without a summary of their own: the last trial is not the result
        run.define_metric(key, step_metric=TRIAL, summary="none")
    for row in merge.history[run.starting_step if run.resumed else 0 :]:  # the same command again has the same trials
        run.log(dict(row))
    show_study(run, results=results, folder=folder)
    run.summary.update(dict(merge.summary))


def _artifact(merge: MergeRun, *, folder: Path) -> Any:
    """Return the merged model's folder; its files are referred to where they are, not copied."""
    import wandb

    name = re.sub(r"[^\w.-]+", "-", f"{MERGED}-{merge.config['target']}-{merge.name}")
    artifact = wandb.Artifact(name[:LONGEST], type="model", metadata=dict(merge.config))
    artifact.add_dir(str(folder), policy="immutable")
    return artifact
