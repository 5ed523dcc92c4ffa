"""Past runs with their headline numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE

from dfwe.errors import DataError
from dfwe.report.html.cells import signed
from dfwe.report.multitask_differences import of_mean
from dfwe.report.names import name_of
from dfwe.report.numbers import interval, times_100
from dfwe.report.run_folder import UNREADABLE, Run, read_run, when
from dfwe.report.sweep.runs import has_results, run_folders, without_results
from dfwe.report.terminal.fitted_table import FittedTable

DEFAULT = (Path("outputs"), Path("multirun"))  # where Hydra puts runs and sweeps


def list_runs(folders: Sequence[Path]) -> FittedTable:
    """A row a run folder at or below the folders, the newest first; one that cannot be read says so in its row.

    Raises:
        DataError: a folder that is not there.
    """
    for folder in folders:
        if not folder.is_dir():
            raise DataError(f"{folder} is no folder: expected one that holds runs, such as outputs")
    found = {path.resolve(): path for folder in folders for path in run_folders(folder)}
    finished = [path for path in found.values() if has_results(path)]
    title = _title(len(finished), num_empty=len(found) - len(finished))
    newest = sorted(finished, key=when, reverse=True)
    table = FittedTable(
        box=SIMPLE,
        padding=(0, 0, 0, 1),
        show_edge=False,
        title=title,
        title_justify="left",
    )
    table.add_column("when", no_wrap=True)
    table.add_column("run", overflow="fold")
    table.add_column("test", justify="right", no_wrap=True)
    table.add_column("delta", justify="right", no_wrap=True)
    for path in newest:
        what, test, delta = _cells(path)
        table.add_row(when(path).strftime("%Y-%m-%d %H:%M"), f"{what}\n{path}", test, delta)
    return table


def _cells(path: Path) -> tuple[str, str, str]:
    """What ran, its score on test, its difference to the baseline with the interval below."""
    try:
        run = read_run(path)
        return _multitask(run) if run.is_multitask else _study(run)
    except (DataError, *UNREADABLE) as error:
        return _why(error), "", ""


def _study(run: Run) -> tuple[str, str, str]:
    results, row = run.results, run.row(run.asked)
    merge = "no merge" if row is None else name_of(row)
    what = f"{results['target']}, {merge}, seed {results['seed']}\nfrom {', '.join(results['sources'])}"
    if row is None or "test" not in row:
        return what, "–", ""
    delta = row.get("delta")
    ends = interval(row.get("delta_interval"), sign=True)
    return what, times_100(row["test"]["score"]), "" if delta is None else f"{signed(delta)}\n{ends}".strip()


def _multitask(run: Run) -> tuple[str, str, str]:
    """The best merge on dev, or the best model where nothing was merged; delta is to the single-task models."""
    results = run.results
    scored = [row for row in results["rows"] if row.get("test", {}).get("mean") is not None]
    merges = [row for row in scored if row["kind"] == "merge"]
    best = max(merges or scored, key=lambda row: row["dev"]["mean"] or 0.0, default=None)
    name, test = ("no score", "–") if best is None else (name_of(best), times_100(best["test"]["mean"]))
    what = f"models with heads, {name}, seed {results['seed']}\nof {', '.join(results['columns'])}"
    found = {} if best is None else of_mean(best)
    delta = f"{signed(found['delta'])}\n{interval(found['delta_interval'], sign=True)}" if found else ""
    return what, test, delta


def _title(num: int, *, num_empty: int) -> str:
    runs = f"{num} {'run' if num == 1 else 'runs'}"
    return f"{runs}; passed over: {without_results(num_empty)}" if num_empty else runs


def _why(error: Exception) -> str:
    """Why a run has no numbers, in a few words."""
    return "(another format: run its command again)" if "has format" in str(error) else "(results cannot be read)"
