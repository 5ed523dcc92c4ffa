"""Past runs with their headline numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE
from rich.markup import escape
from rich.table import Table

from dfwe.errors import DataError
from dfwe.report.numbers import interval, times_100
from dfwe.report.page.cells import signed
from dfwe.report.run_folder import Run, read_run, when
from dfwe.report.runs import run_folders

DEFAULT = (Path("outputs"), Path("multirun"))  # where Hydra puts runs and sweeps


def list_runs(folders: Sequence[Path]) -> Table:
    """A line a run folder at or below the folders, the newest first; one that cannot be read says so in its line.

    Raises:
        DataError: a folder that is not there.
    """
    for folder in folders:
        if not folder.is_dir():
            raise DataError(f"{folder} is no folder: expected one that holds runs, such as outputs")
    found = {path.resolve(): path for folder in folders for path in run_folders(folder)}
    newest = sorted(found.values(), key=when, reverse=True)
    table = Table(box=SIMPLE, padding=(0, 0, 0, 1), show_edge=False, title=f"{len(found)} runs", title_justify="left")
    for heading in ("when", "target", "sources", "merge", "seed", "test", "delta", "folder"):
        right = heading in ("seed", "test", "delta")
        table.add_column(heading, justify="right" if right else "left", no_wrap=heading == "when", overflow="fold")
    for path in newest:
        cells = (when(path).strftime("%Y-%m-%d %H:%M"), *_cells(path), str(path))
        table.add_row(*(escape(cell) for cell in cells))
    return table


def _cells(path: Path) -> tuple[str, ...]:
    try:
        run = read_run(path)
        return _multitask(run) if run.is_multitask else _study(run)
    except (DataError, KeyError, TypeError, AttributeError) as error:
        return (_why(path, error), "", "", "", "", "")


def _study(run: Run) -> tuple[str, ...]:
    results, row = run.results, run.row(run.asked)
    name = row["name"] if row is not None else ""
    head = (results["target"], ", ".join(results["sources"]), name, str(results["seed"]))
    if row is None or "test" not in row:
        return (*head, "–", "")
    delta = row.get("delta")
    ends = interval(row.get("delta_interval"), sign=True)
    told = "" if delta is None else signed(delta) + (f" [{ends}]" if ends else "")
    return (*head, times_100(row["test"]["score"]), told)


def _multitask(run: Run) -> tuple[str, ...]:
    results = run.results
    scored = [row for row in results["rows"] if row.get("test", {}).get("mean") is not None]
    merges = [row for row in scored if row["kind"] == "merge"]
    best = max(merges or scored, key=lambda row: row["dev"]["mean"] or 0.0, default=None)
    name, test = ("", "–") if best is None else (best["name"], times_100(best["test"]["mean"]))
    return "models with heads", ", ".join(results["columns"]), name, str(results["seed"]), test, ""


def _why(path: Path, error: Exception) -> str:
    """Why a run has no numbers, in a few words."""
    if not (path / "results.json").exists():
        return "(no results: broken off, or only planned)"
    return "(another format: run its command again)" if "has format" in str(error) else "(results cannot be read)"
