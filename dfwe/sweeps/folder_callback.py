"""Hydra's callback that gives each run, and each sweep, a folder of its own before anything is written.

Light: it is made for every command.
"""

from __future__ import annotations

import sys
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any, NoReturn

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, read_write

from dfwe.config.run_name import register_run_name
from dfwe.errors import DfweError
from dfwe.process.exit import FAILED, complain
from dfwe.results.run_folder import check_same_study, create_run_folder, remove_if_empty
from dfwe.sweeps.jobs import constant_keys, has_twins
from dfwe.values.overrides import quoted_value

_NOW = "${now:"  # in a folder's name: every run has one of its own


class FolderCallback(Callback):
    """Takes the folder when a run or a sweep begins; a plan's is temporary, and a new one that stays empty goes."""

    def __init__(self) -> None:
        self._taken: Path | None = None
        register_run_name()

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Bring the names of folders to the process of a launcher, too, which finds this job's there."""
        self.__dict__.update(state)
        register_run_name()

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Take the run's folder; the command ends here where that cannot be."""
        try:
            folder, is_new = Path(config.hydra.run.dir).expanduser(), _is_new(config.hydra.run)
            if config.plan_only:
                folder = Path(mkdtemp(prefix="dfwe-plan-"))
            else:
                if not is_new:
                    check_same_study(folder, list(config.hydra.overrides.task))
                folder = create_run_folder(folder, is_new=is_new)
        except DfweError as error:
            _end(error)
        self._taken = folder if is_new or config.plan_only else None
        with read_write(config.hydra.run):
            config.hydra.run.dir = str(folder)

    def on_run_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Remove a plan's folder, and that of a run which failed before it did anything."""
        if self._taken is not None and config.plan_only:
            rmtree(self._taken, ignore_errors=True)
        elif self._taken is not None:
            remove_if_empty(self._taken)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Take the sweep's folder, and name its jobs by what differs between them; a plan needs none."""
        if config.plan_only:
            return
        try:
            folder = Path(config.hydra.sweep.dir).expanduser()
            folder = create_run_folder(folder, is_new=_is_new(config.hydra.sweep))
        except DfweError as error:
            _end(error)
        with read_write(config.hydra.sweep):
            config.hydra.sweep.dir = str(folder)
        keys = ",".join(f"'{key}'" for key in constant_keys(config))
        _override(config, f"hydra.sweep.dir={quoted_value(str(folder))}", f"{_EXCLUDED}=[{keys}]")
        if has_twins(config):
            _override(config, "hydra.sweep.subdir='${hydra.job.num}_${job_name:}'")


def _end(error: DfweError) -> NoReturn:
    """End the command with the error's line: Hydra makes warnings of what its callbacks raise."""
    complain(str(error))
    sys.exit(FAILED)


_EXCLUDED = "hydra.job.config.override_dirname.exclude_keys"


def _is_new(part: DictConfig) -> bool:
    """Return whether each run gets a folder of its own: its name has the time, unless the user names it himself."""
    return _NOW in str(OmegaConf.to_container(part, resolve=False)["dir"])  # type: ignore[call-overload, index]


def _override(config: DictConfig, *overrides: str) -> None:
    """Add to what each job of the sweep is composed with."""
    with read_write(config.hydra.overrides):
        config.hydra.overrides.hydra.extend(overrides)
