"""Copy the results of runs under plain names, without texts of the corpus and without places on a machine."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from dfwe.io.files import make_folder, plain_name, write_text
from dfwe.report.run_folder import RESULTS, Run, read_run_file
from dfwe.report.sweep.jobs import settings_of
from dfwe.report.sweep.runs import read_runs

# texts of the corpus, and what a run's own page shows and no table over runs does
_OF_STUDY = {"examples", "curves", "interpolations"}
_OF_TASK = {"bad_rows", "odd_rows", "rows_read"}
_FOLDERS = re.compile(r"(?<![\w.:/~-])(?:~|\.{1,2})?/(?:[^\s/'\",;:=\[\](){}]+/)*(?=[^\s/])")
_PLACES = ("paths.", "hydra.")


def collect(folders: Sequence[Path], *, into: Path) -> tuple[list[Path], list[str]]:
    """Copy the results of all finished runs at or below the folders to `into`/TARGET/seed_0.json.

    Return the files, and why runs have none.

    Settings of the command that change scores are in the name, its `experiment` apart. A study that ran again replaces
    what it left before; another one of that name gets a number.

    Raises:
        DataError: a folder without runs, or no results that can be read.
    """
    runs, left_out = read_runs(folders)
    return [_write(run, into=into) for run in runs], left_out


def without_texts(results: Mapping[str, Any]) -> dict[str, Any]:
    """Return results without what quotes the corpus, and with paths cut to their last names."""
    tasks = {name: _without(task, _OF_TASK) for name, task in results["data"]["tasks"].items()}
    models = [_without(model, {"search"}) for model in results["models"]]
    short: dict[str, Any] = without_folders(
        {**_without(results, _OF_STUDY), "data": {"tasks": tasks}, "models": models}
    )
    return short


def without_folders(content: Any) -> Any:
    """Return JSON with the paths in its texts cut to their last names; keys stay."""
    if isinstance(content, Mapping):
        return {key: without_folders(value) for key, value in content.items()}
    if isinstance(content, Sequence) and not isinstance(content, str):
        return [without_folders(item) for item in content]
    return _FOLDERS.sub("", content) if isinstance(content, str) else content


def _without(record: Mapping[str, Any], keys: Set[str]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in keys}


def _write(run: Run, *, into: Path) -> Path:
    path = run.path / RESULTS if (run.path / RESULTS).exists() else run.path.with_name(f"{run.path.name}.json")
    content = read_run_file(path)
    content = without_texts({**content, "command": _command(content.get("command", ""))})
    results = run.results
    target = "_".join(results.tasks) or next(iter(results.data), results.target)
    folder = into / plain_name(target)
    make_folder(folder)
    copy = _free(folder, name=_name(run, command=content["command"]), content=content)
    write_text(copy, _in_lines(content))
    return copy


def _command(command: str) -> str:
    """Return the command without the settings that are places."""
    words = shlex.split(command)
    return shlex.join(word for word in words if not word.lstrip("+~").startswith(_PLACES))


def _name(run: Run, *, command: str) -> str:
    settings = [plain_name(word) for word in settings_of(command) if not word.startswith("experiment=")]
    return plain_name("_".join([f"seed_{run.results.seed}", *settings]))


def _free(folder: Path, *, name: str, content: Mapping[str, Any]) -> Path:
    """Return the file of that name, or of the first number, that is the study's own or is not there yet."""
    path, number = folder / f"{name}.json", 1
    while path.exists() and _study_of(read_run_file(path)) != _study_of(content):
        number += 1
        path = folder / f"{name}_{number}.json"
    return path


def _study_of(content: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what tells a study from others of its target and seed: its command and its data."""
    return content.get("command"), [task.get("corpus") for task in content["data"]["tasks"].values()]


def _in_lines(content: Mapping[str, Any]) -> str:
    """Return the JSON with a line per key, and per model: small, and its changes can be read."""
    parts = []
    for key, value in content.items():
        is_list = isinstance(value, list) and value
        items = ",\n  ".join(map(_compact, value)) if is_list else ""
        parts.append(f"{_compact(key)}: " + (f"[\n  {items}\n]" if is_list else _compact(value)))
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
