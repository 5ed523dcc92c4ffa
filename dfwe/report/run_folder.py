"""Read a finished run: its results, its searches' trials, its models' answers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from dfwe.errors import DataError, DfweError
from dfwe.io.strict_json import read_json
from dfwe.report.study_results import StudyResults, read_results
from dfwe.report.trials import SearchTrial, read_trials

RESULTS, TEST_PREDICTIONS = "results.json", "test_predictions.json"
BEST = "best"  # the folder of the recommended model
CARD = "README.md"  # of an exported model, in its folder
_WHEN = re.compile(r"(\d{4}-\d\d-\d\d)/(\d\d-\d\d-\d\d)")
_FOLDER = "the folder of a finished run, outputs/<date>/<time>..., or of a sweep"


@dataclass(frozen=True)
class Run:
    """Hold a run folder and its results; the other files are read where they are needed."""

    path: Path
    results: StudyResults

    def trials(self, merge: str) -> tuple[SearchTrial, ...]:
        """Return the trials of a merge's search; none where it has no journal."""
        is_headline = merge == self.results.headline_merge
        return read_trials(self.path / ("trials.jsonl" if is_headline else f"trials_{merge}.jsonl"))

    def answers(self) -> Mapping[str, Any] | None:
        """Return the models' answers on test; None where they were not written."""
        path = self.path / TEST_PREDICTIONS
        answers: Mapping[str, Any] | None = read_run_file(path) if path.exists() else None
        return answers


def read_run(path: Path) -> Run:
    """Read the run of a folder.

    Raises:
        DataError: no results there, results that cannot be read, or of another format.
    """
    raw = read_run_file(path / RESULTS)
    with readable_results(path):
        return Run(path, read_results(raw, path=str(path / RESULTS)))


def started_at(path: Path) -> datetime:
    """Return when a run began by its folder's name, outputs/<date>/<time>..., else when its results were written."""
    match = _WHEN.search(path.resolve().as_posix())
    with suppress(ValueError):  # 2026-02-30 is not a date
        return datetime.strptime(f"{match[1]} {match[2]}" if match else "", "%Y-%m-%d %H-%M-%S")
    results = path / RESULTS
    return datetime.fromtimestamp((results if results.exists() else path).stat().st_mtime)


def read_run_file(path: Path) -> Any:
    """Read a JSON file of a run folder; DataError where it is missing or broken."""
    return read_json(path, missing=f"{path.parent} holds no {path.name}: expected {_FOLDER}")


@contextmanager
def readable_results(folder: Path) -> Iterator[None]:
    """Raise a DataError for what goes wrong in the block because results, or files beside them, have another form."""
    try:
        yield
    except DfweError:
        raise
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        raise DataError(
            f"{folder}: {RESULTS}, or a file beside it, is not what a study writes ({type(error).__name__}: {error}); "
            "run the study's command again, it trains nothing twice"
        ) from error
