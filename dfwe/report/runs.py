"""Many runs together: what each merge of each run scored, found below folders, and whether they may be compared."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfwe.errors import DataError
from dfwe.report.heads import as_study
from dfwe.report.multitask_differences import best_on_dev
from dfwe.report.run_folder import Run, read_run
from dfwe.report.study_folder import RESULTS
from dfwe.report.sweep_jobs import JobResult, job_of, jobs_of_heads

_HYDRA, _STORE = ".hydra", "store"


@dataclass(frozen=True)
class Scored:
    """A merge (or control) of a run that was scored on test beside a baseline; of heads every model, too.

    The baseline of models with heads are the single-task models; their `row` is as a text study's.
    """

    run: Run
    row: Mapping[str, Any]
    job: JobResult
    is_headline: bool


def run_folders(root: Path) -> Iterator[Path]:
    """The folders of runs at or below a folder, in order of their names, job 10 after job 9.

    A run's folder holds results, or the configuration that Hydra wrote: then it was broken off. Stores are passed over.
    """
    for folder, folders, files in os.walk(root):
        path = Path(folder)
        if RESULTS in files or _HYDRA in folders:
            folders.clear()
            yield path
        folders[:] = sorted((each for each in folders if each != _STORE), key=_order)


def read_runs(folders: Sequence[Path]) -> tuple[list[Run], list[str]]:
    """The finished runs at or below the folders, each once, and which were left out because they have no results.

    Raises:
        DataError: a folder without any run, results that cannot be read, or of another format.
    """
    found: dict[Path, Run] = {}
    left_out = []
    for folder in folders:
        below = list(run_folders(folder))
        if not any((path / RESULTS).exists() for path in below):
            raise DataError(f"{folder} holds no {RESULTS}: expected the folder of a finished run, or of a sweep")
        for path in below:
            if (path / RESULTS).exists():
                found.setdefault(path.resolve(), read_run(path))
            else:
                left_out.append(f"{path}: broken off, it has no {RESULTS}")
    return list(found.values()), left_out


def scored(runs: Sequence[Run]) -> list[Scored]:
    """Every merge and control that was scored on test beside a baseline, in the order of the runs."""
    return [each for run in runs for each in (_of_heads(run) if run.is_multitask else _of_study(run))]


def _of_study(run: Run) -> Iterator[Scored]:
    for row in run.rows("merge", "control"):
        job = job_of(run.results, name=row["name"])
        if job is not None:
            yield Scored(run, row, job, row["name"] == run.results["headline"].get("name"))


def _of_heads(run: Run) -> Iterator[Scored]:
    """The best on dev is the headline."""
    jobs, best = jobs_of_heads(run.results), best_on_dev(run.results)
    for row in as_study(run.results)["models"]:
        if row["name"] in jobs:
            yield Scored(run, row, jobs[row["name"]], best is not None and row["name"] == best["name"])


def check_same_tests(runs: Sequence[Run]) -> None:
    """Runs of one target must have been tested on the same instances: else their scores do not belong in one table.

    Raises:
        DataError: names two runs that were not.
    """
    by_target: dict[str, dict[tuple[Any, ...], list[Run]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        target = ", ".join(run.results["columns"]) if run.is_multitask else run.results["target"]
        by_target[target][test_set(run)].append(run)
    for target, sets in by_target.items():
        if len(sets) > 1:
            (first, *_), (other, *_) = list(sets.values())[:2]
            raise DataError(
                f"{target} was tested on {len(sets)} different sets of instances, by {first.path} and {other.path} "
                "among others: paired statistics need the same instances, so make a page of the runs of each"
            )


def test_set(run: Run) -> tuple[Any, ...]:
    """What tells the target's test instances: the digest of its corpus, and their number; of heads all tasks'."""
    if run.is_multitask:
        sizes, data = run.results["n"], run.results.get("data", {})
        return tuple(
            (data.get(task, {}).get("corpus"), sizes[column].get("test"))
            for column, task in run.results["columns"].items()
        )
    tasks: dict[str, dict[str, Any]] = run.results.get("data", {}).get("tasks", {})
    corpus = next(iter(tasks.values()), {}).get("corpus")  # the target comes first
    return corpus, run.results.get("n", {}).get("test")


def _order(name: str) -> tuple[int, str]:
    return (int(name), "") if name.isdecimal() else (-1, name)
