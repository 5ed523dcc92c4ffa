"""Write a study's merges into W&B: a run per merge, with trials, numbers, table, pictures and, if set, the model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dfwe.report.wandb.merges import LONGEST, TRIAL, MergeRun, merge_runs, table
from dfwe.report.wandb.session import Session

MERGED = "merged"
_OF_TRIALS = ("score", "best", "bound", "seconds", "alpha/*")


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

    if {"models", "rows"} & set(results):
        columns, rows = table(results)
        run.log({"models": wandb.Table(columns=columns, data=rows)})
    images = {f"pictures/{path.stem}": wandb.Image(str(path)) for path in pictures(folder)}
    if images:
        run.log(images)


def pictures(folder: Path) -> list[Path]:
    """Return the PNG files that a study has drawn."""
    return sorted([*folder.glob("*.png"), *folder.glob("pictures/*.png")])


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
