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
from dfwe.report.run_folder import UNREADABLE, Run, read_run
from dfwe.report.study_folder import RESULTS
from dfwe.report.sweep.jobs import JobResult, job_of, jobs_of_heads, natural_order

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
        folders[:] = sorted((each for each in folders if each != _STORE), key=natural_order)


def read_runs(folders: Sequence[Path]) -> tuple[list[Run], list[str]]:
    """The finished runs at or below the folders, each once, and what was left out and why.

    Raises:
        DataError: a folder without any run; results of a folder that is named itself, or of all that are found below,
            which cannot be read or are of another format.
    """
    found: dict[Path, Run] = {}
    broken: dict[Path, DataError] = {}
    num_empty = 0
    for folder in folders:
        below = list(run_folders(folder))
        finished = [path for path in below if has_results(path)]
        if not finished:
            raise DataError(f"{folder} holds no {RESULTS}: expected the folder of a finished run, or of a sweep")
        num_empty += len(below) - len(finished)
        for path in finished:
            try:
                run = read_run(path)
                test_set(run)
                found.setdefault(path.resolve(), run)
            except (DataError, *UNREADABLE) as error:
                broken[path.resolve()] = _as_data_error(error, path=path)
                if path == folder:
                    raise broken[path.resolve()] from error
    if not found:
        raise next(iter(broken.values()))
    empty = [without_results(num_empty)] if num_empty else []
    return list(found.values()), [*(f"{error}" for error in broken.values()), *empty]


def _as_data_error(error: Exception, *, path: Path) -> DataError:
    return error if isinstance(error, DataError) else DataError(f"{path / RESULTS} lacks a part ({error!r})")


def has_results(folder: Path) -> bool:
    """Return whether something of the name of results is there, even if it cannot be read."""
    return os.path.lexists(folder / RESULTS)


def without_results(num: int) -> str:
    """Return how many folders of runs were passed over, in words."""
    return f"{num} {'folder' if num == 1 else 'folders'} without results: failed, broken off, or only planned"


def scored(runs: Sequence[Run]) -> list[Scored]:
    """Every merge and control that was scored on test beside a baseline, in the order of the runs."""
    return [each for run in runs for each in (_of_heads(run) if run.is_multitask else _of_study(run))]


def scored_of_whole(runs: Sequence[Run]) -> tuple[list[Scored], list[str]]:
    """Return what `scored` does, and why other runs were left out: nothing was scored, or a part is missing."""
    found: list[Scored] = []
    left_out = []
    for run in runs:
        try:
            of_run = scored([run])
        except UNREADABLE as error:
            left_out.append(f"{run.path / RESULTS} lacks a part ({error!r}): run its command again")
            continue
        found += of_run
        left_out += [] if of_run else [f"{run.path}: no merge was scored beside a baseline"]
    return found, left_out


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
