"""List past runs with their headline numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from dfwe.errors import DataError
from dfwe.report.columns import DELTA, TEST
from dfwe.report.names import name_of
from dfwe.report.run_folder import Run, read_run, readable_results, started_at
from dfwe.report.sweep.runs import has_results, run_folders, without_results
from dfwe.report.tables import MISSING, Cell, Column, tabulate, text
from dfwe.report.terminal.console import FittedTable

DEFAULT = (Path("outputs"), Path("multirun"))  # where Hydra puts runs and sweeps
_COLUMNS = (
    Column("when", "when", lambda row: text(row[0]), is_numeric=False),
    Column("run", "run", lambda row: text(row[1]), is_numeric=False),
    Column("test", "test", lambda row: row[2]),
    Column("delta", "delta", lambda row: row[3]),
)


def list_runs(folders: Sequence[Path]) -> RenderableType:
    """Return a row per run folder at or below the folders, the newest first; a broken one has the reason in its row.

    Raises:
        DataError: a folder that does not exist.
    """
    finished, num_empty = _finished(folders)
    rows = [(started_at(path).strftime("%Y-%m-%d %H:%M"), *_cells(path)) for path in finished]
    title = _title(len(finished), num_empty=num_empty)
    table = tabulate("list", rows, columns=_COLUMNS, caption=title)
    return Text(title) if table is None else FittedTable(table)


def run_records(folders: Sequence[Path]) -> list[dict[str, Any]]:
    """Return the same runs as JSON: scores are fractions, a broken run has its `error`.

    Raises:
        DataError: a folder that does not exist.
    """
    return [_record(path) for path in _finished(folders)[0]]


def _finished(folders: Sequence[Path]) -> tuple[list[Path], int]:
    """Return the run folders that have results, the newest first, and the number of the others."""
    for folder in folders:
        if not folder.is_dir():
            raise DataError(f"{folder} is not a folder: expected one that holds runs, such as outputs")
    paths = {path.resolve(): path for folder in folders for path in run_folders(folder)}
    finished = sorted((path for path in paths.values() if has_results(path)), key=started_at, reverse=True)
    return finished, len(paths) - len(finished)


def _record(path: Path) -> dict[str, Any]:
    record: dict[str, Any] = {"folder": str(path), "started": started_at(path).isoformat()}
    try:
        results = read_run(path).results
        with readable_results(path):
            row = results.leading_row() or {}
            return record | {
                "target": results.target,
                "sources": list(results.sources),
                "seed": results.seed,
                "model": row.get("name"),
                "test": row.get("test", {}).get("score"),
                "delta": row.get("delta"),
                "delta_interval": row.get("delta_interval"),
            }
    except DataError as error:
        return record | {"error": str(error)}


def _cells(path: Path) -> tuple[str, Cell, Cell]:
    """Return what ran, its score on test, and its difference to the reference with the interval below."""
    try:
        run = read_run(path)
        with readable_results(path):
            return _numbers(run)
    except DataError as error:
        reason = "another format: run its command again" if "has format" in str(error) else "results cannot be read"
        return f"({reason})\n{path}", MISSING, MISSING


def _numbers(run: Run) -> tuple[str, Cell, Cell]:
    results, row = run.results, run.results.leading_row()
    merge = "no merge" if row is None else name_of(row)
    kind = "models with heads, " if results.tasks else f"{results.target}, "
    tasks = f"of {', '.join(results.tasks)}" if results.tasks else f"from {', '.join(results.sources)}"
    words = f"{kind}{merge}, seed {results.seed}\n{tasks}\n{run.path}"
    delta = DELTA.cell(row or {})
    below = f"\n{delta.small}" if delta.ends is not None else ""
    return words, Cell(TEST.cell(row or {}).text), delta if delta == MISSING else Cell(f"{delta.text}{below}")


def _title(num: int, *, num_empty: int) -> str:
    runs = f"{num} {'run' if num == 1 else 'runs'}"
    return f"{runs}; passed over: {without_results(num_empty)}" if num_empty else runs
