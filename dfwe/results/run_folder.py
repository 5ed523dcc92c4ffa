"""The folder of a run or a sweep: of one process alone, checked before anything is written, gone where it stays empty.

Light: every command asks for it.
"""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from dfwe.errors import ConfigurationError, OutputError
from dfwe.io.files import new_folder, output_errors, write_text
from dfwe.io.strict_json import read_json_object
from dfwe.values.overrides import CHANGE_NO_RESULT

ERROR = "error.txt"  # in the folder of a run that has failed, the line that it ended with
RESULTS = "results.json"
_HYDRA = ".hydra"
_LOCK = "lock"
_MOST = 3  # differences that a message lists
_ROOM = 1 << 18  # bytes: what Hydra and a study's own files need at least


class OccupiedError(ConfigurationError):
    """Another process is writing into the run's folder."""


def create_run_folder(folder: Path, *, is_new: bool) -> Path:
    """Make the folder of a run, with a suffix where it is to be new and there is one of that name.

    Raises:
        OutputError: it cannot be made or written to.
    """
    path = new_folder(folder) if is_new else folder
    probe = path / ".probe"
    with output_errors(path, below=path):
        path.mkdir(parents=True, exist_ok=True)
        try:
            probe.write_bytes(bytes(_ROOM))
        finally:
            probe.unlink(missing_ok=True)
    return path


def check_same_study(folder: Path, overrides: Sequence[str]) -> None:
    """Check that results which are in the folder already are of the same command: to repeat it is how a run goes on.

    Raises:
        ConfigurationError: they are of another study, which would be lost.
    """
    path = folder / RESULTS
    if not os.path.lexists(path):
        return
    advice = "set hydra.run.dir (in a sweep hydra.sweep.dir) to another folder, or move that file away"
    command = read_json_object(path, error=ConfigurationError).get("command")
    if not isinstance(command, str):
        raise ConfigurationError(f"{path} was not written by a command of dfwe: {advice}")
    before, now = _what_matters(shlex.split(command)[3:]), _what_matters(overrides)
    if before != now:
        differences = f"{_listed(before - now)} there, {_listed(now - before)} here"
        raise ConfigurationError(f"{path} holds the results of another study ({differences}): {advice}")


@contextmanager
def lock_run_folder(folder: Path) -> Iterator[None]:
    """Hold the run's folder against other processes.

    Raises:
        OccupiedError: another process is writing there.
    """
    with output_errors(folder, below=folder):
        (folder / _HYDRA).mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / _HYDRA / _LOCK, thread_local=False)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            raise OccupiedError(
                f"another process is writing into {folder}: wait for it, or set hydra.run.dir to another folder"
            ) from None
    try:
        yield
    finally:
        lock.release()


def note_failure(folder: Path, line: str) -> None:
    """Write the line that a run ended with into its folder; where that cannot be, the terminal has it."""
    with suppress(OutputError):
        write_text(folder / ERROR, line + "\n")


def forget_failure(folder: Path) -> None:
    """Remove the line of an earlier try; OutputError where that cannot be."""
    with output_errors(folder, below=folder):
        (folder / ERROR).unlink(missing_ok=True)


def remove_if_empty(folder: Path) -> None:
    """Remove a new folder that has nothing in it but Hydra's files, an empty log, and the line of the run's error."""
    with suppress(OSError):
        for path in folder.iterdir():
            if path.name not in (_HYDRA, ERROR) and not (path.suffix == ".log" and path.stat().st_size == 0):
                return
        shutil.rmtree(folder)
        folder.parent.rmdir()  # that of the day, where it was the only one


def _listed(overrides: set[str]) -> str:
    examples = sorted(overrides)[:_MOST]
    more = [f"{len(overrides) - _MOST} more"] if len(overrides) > _MOST else []
    return ", ".join([*examples, *more]) or "nothing more"


def _what_matters(overrides: Iterable[str]) -> set[str]:
    return {override for override in overrides if not override.lstrip("+~").startswith(CHANGE_NO_RESULT)}


class RunLog(logging.FileHandler):
    """A log file as logging has it; the first thing that cannot be written ends it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's name
        """Tell the reason once instead of a traceback for every record."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        self.setLevel(logging.CRITICAL + 1)
        print(f"warning: the log {self.baseFilename} ends here: {error.strerror}", file=sys.stderr)
