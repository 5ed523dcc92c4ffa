"""Find runs below folders, read them, and check that they may be compared."""

from __future__ import annotations

import fnmatch
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dfwe.errors import DataError
from dfwe.report.run_folder import RESULTS, Run, read_run, read_run_file, readable_results
from dfwe.report.study_results import read_results
from dfwe.report.sweep.jobs import JobResult, jobs_of, settings_of_run

COLLECTED = "seed_*.json"  # results that `dfwe report sweep --collect` has copied
_HYDRA, _STORE = ".hydra", "store"


def run_folders(root: Path) -> Iterator[Path]:
    """Yield the folders of runs at or below a folder, in order of their names, job 10 after job 9.

    A run's folder holds results, or the configuration that Hydra wrote: then it was broken off. Stores are passed over.
    """
    yield from (path for path in _walk(root) if not _is_collected(path))


def _walk(root: Path) -> Iterator[Path]:
    """Yield the folders of runs, and the files of collected results, which lie in no such folder."""
    for folder, folders, files in os.walk(root):
        if RESULTS in files or _HYDRA in folders:
            folders.clear()
            yield Path(folder)
        else:
            yield from (Path(folder, name) for name in sorted(fnmatch.filter(files, COLLECTED), key=natural_order))
        folders[:] = sorted((name for name in folders if name != _STORE), key=natural_order)


def read_runs(folders: Sequence[Path]) -> tuple[list[Run], list[str]]:
    """Return the finished runs at or below the folders, each once, and what was left out and why.

    Raises:
        DataError: a folder without any run; results of a folder that is named itself, or of all that are found below,
            which cannot be read or are of another format.
    """
    runs: dict[Path, Run] = {}
    errors: list[DataError] = []
    num_empty = 0
    for folder in folders:
        below = list(_walk(folder))
        finished = [path for path in below if has_results(path)]
        if not finished:
            raise DataError(f"{folder} holds no {RESULTS}: expected the folder of a finished run, or of a sweep")
        num_empty += len(below) - len(finished)
        for path in finished:
            try:
                runs.setdefault(path.resolve(), _read(path))
            except DataError as error:
                if path == folder:
                    raise
                errors.append(error)
    if not runs:
        raise errors[0]
    empty = [without_results(num_empty)] if num_empty else []
    return list(runs.values()), [*dict.fromkeys(map(str, errors)), *empty]


def read_jobs(runs: Sequence[Run]) -> tuple[list[JobResult], list[str]]:
    """Return the jobs of all runs, and why a run has none: nothing was scored, or a part is missing."""
    jobs: list[JobResult] = []
    left_out = []
    for run in runs:
        try:
            of_run = jobs_of(run)
        except (DataError, KeyError, TypeError, AttributeError, ValueError) as error:
            left_out.append(f"{run.path / RESULTS} lacks a part ({error!r}): run its command again")
            continue
        jobs += of_run
        left_out += [] if of_run else [f"{run.path}: no merge was scored beside a baseline"]
    return jobs, left_out


def has_results(folder: Path) -> bool:
    """Check that a file of the name of results is there, even if it cannot be read."""
    return _is_collected(folder) or os.path.lexists(folder / RESULTS)


def _is_collected(path: Path) -> bool:
    return fnmatch.fnmatch(path.name, COLLECTED)


def _read(path: Path) -> Run:
    """Read a run's folder, or collected results, beside which nothing else lies."""
    if not _is_collected(path):
        return read_run(path)
    raw = read_run_file(path)
    with readable_results(path):
        return Run(path.with_suffix(""), read_results(raw, path=str(path)))


def without_results(num: int) -> str:
    """Write how many folders of runs were passed over."""
    return f"{num} {'folder' if num == 1 else 'folders'} without results: failed, broken off, or only planned"


def check_same_tests(runs: Sequence[Run], *, of_equal_settings: bool = False) -> None:
    """Check that runs of one target were tested on the same instances: else their scores cannot be compared.

    With `of_equal_settings` only runs of equal settings are held against each other, whatever their seeds.

    Raises:
        DataError: names two runs that were not.
    """
    by_target: dict[tuple[Any, ...], dict[tuple[Any, ...], list[Run]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        results = run.results
        settings = (settings_of_run(run),) if of_equal_settings else ()
        by_target[results.target, *settings][results.test_set].append(run)
    for (target, *_), sets in by_target.items():
        if len(sets) > 1:
            (first, *_), (other, *_) = list(sets.values())[:2]
            raise DataError(
                f"{target} has other data in {first.path} than in {other.path}, of {len(sets)} sets in all: paired "
                "statistics need the same test instances, so make a report of the runs of each"
            )


def last_of_studies(runs: Sequence[Run]) -> list[Run]:
    """Return the runs without those that a later one repeats."""
    last: dict[tuple[Any, ...], Run] = {}
    for run in runs:
        results = run.results
        last[results.target, results.seed, results.sources, results.headline.get("name"), settings_of_run(run)] = run
    return list(last.values())


def natural_order(name: str) -> list[str | int]:
    """Return a key that sorts job 10 after job 9, and seed-10 after seed-9."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"([0-9]+)", name)]
