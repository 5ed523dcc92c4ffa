"""A finished run as reports read it: its results, its searches' trials, its models' answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from dfwe.errors import DataError
from dfwe.report.study_folder import RESULTS, TEST_PREDICTIONS, read_json
from dfwe.report.trials import SearchTrial, read_trials
from dfwe.values.names import UNIFORM

FORMATS, MULTITASK_FORMATS = (2, 3), (1, 2, 3)  # that are read
UNREADABLE = (KeyError, IndexError, TypeError, AttributeError, ValueError)  # what a part that is missing or odd gives
_WHEN = re.compile(r"(\d{4}-\d\d-\d\d)/(\d\d-\d\d-\d\d)")


@dataclass(frozen=True)
class Run:
    """A run folder with what its `results.json` says; the other files are read where they are wanted."""

    path: Path
    results: Mapping[str, Any]

    @property
    def is_multitask(self) -> bool:
        """Whether it is a study of models with heads."""
        return self.results.get("kind") == "multitask"

    @property
    def asked(self) -> str | None:
        """The merge that was asked for: the headline's, or the last where nothing was tested; none with heads."""
        if self.is_multitask:
            return None
        names = [row["name"] for row in self.rows("merge")]
        last = [name for name in names if name != UNIFORM] or names
        found: str | None = self.results["headline"].get("name") or (last[-1] if last else None)
        return found

    @property
    def when(self) -> datetime:
        """When it began by its folder's name, else when its results were written."""
        return when(self.path)

    def rows(self, *kinds: str) -> list[Mapping[str, Any]]:
        """Its models of these kinds, of all where none is said."""
        every = self.results["rows" if self.is_multitask else "models"]
        return [row for row in every if not kinds or row["kind"] in kinds]

    def row(self, name: str | None) -> Mapping[str, Any] | None:
        """The model of that name."""
        return next((row for row in self.rows() if row["name"] == name), None)

    def trials(self, merge: str) -> tuple[SearchTrial, ...]:
        """The trials of a merge's search; none where it has no journal."""
        return read_trials(self.path / ("trials.jsonl" if merge == self.asked else f"trials_{merge}.jsonl"))

    def answers(self) -> Mapping[str, Any] | None:
        """What models answered on test; None where that was not written."""
        path = self.path / TEST_PREDICTIONS
        if not path.exists():
            return None
        found: Mapping[str, Any] = _json(path)
        return found


def read_run(path: Path) -> Run:
    """The run of a folder.

    Raises:
        DataError: no results there, results that cannot be read, or of another format.
    """
    results = _json(path / RESULTS)
    multitask = isinstance(results, dict) and results.get("kind") == "multitask"
    found = results.get("format") if isinstance(results, dict) else None
    if found not in (MULTITASK_FORMATS if multitask else FORMATS):
        raise DataError(
            f"{path / RESULTS} has format {found}, and this version reads {FORMATS[0]} to {FORMATS[-1]}: run the "
            "study's command again, it trains nothing twice"
        )
    missing = {"rows", "columns"} - set(results) if multitask else {"models", "target", "headline"} - set(results)
    if missing:
        raise DataError(f"{path / RESULTS} lacks {', '.join(sorted(missing))}: run the study's command again")
    return Run(path, results)


def when(path: Path) -> datetime:
    """When a run folder's run began by its name, outputs/<date>/<time>..., else when its results were written."""
    found = _WHEN.search(path.resolve().as_posix())
    with suppress(ValueError):  # 2026-02-30 is no date
        return datetime.strptime(f"{found[1]} {found[2]}" if found else "", "%Y-%m-%d %H-%M-%S")
    there = path / RESULTS
    return datetime.fromtimestamp((there if there.exists() else path).stat().st_mtime)


def _json(path: Path) -> Any:
    expected = "the folder of a finished run, outputs/<date>/<time>..., or of a sweep"
    return read_json(path, missing=f"{path.parent} holds no {path.name}: expected {expected}")
