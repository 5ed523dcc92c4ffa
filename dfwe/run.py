"""The command: compose, plan, execute, report. Heavy imports wait until a study runs, so that --help is quick."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dfwe.errors import ConfigurationError, DfweError, OutputError
from dfwe.execution.launched import as_one_command
from dfwe.process.exit import FAILED, PIPE_CLOSED, as_process, complain, exit_code, words_of
from dfwe.process.interrupt import GOES_ON, kept_interrupt

if TYPE_CHECKING:
    from omegaconf import DictConfig

_FULL_ERROR = "HYDRA_FULL_ERROR"  # =1: Hydra raises what it would print; a developer who sets it sees tracebacks


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study, or the sweep, that the command line describes and return the exit code."""
    if arguments is not None:
        sys.argv[1:] = arguments  # where Hydra reads them
    jobs = Jobs(os.getpid())
    return exit_code(lambda: _command(jobs, sys.argv[1:])) or (FAILED if jobs.failures else 0)


def _command(jobs: Jobs, arguments: Sequence[str]) -> None:
    from dfwe.config.task_options import help_text, register

    folders = user_folders(arguments)
    if {"--help", "-h"} & set(arguments):
        print(help_text(folders))
        return
    from dfwe.config.command_line import hydra_arguments
    from dfwe.config.run_name import register_run_name

    register(folders)
    register_run_name()
    _compose(jobs, hydra_arguments(arguments), folders=folders)


def user_folders(arguments: Sequence[str]) -> tuple[Path, ...]:
    """Return the folders of --config-dir: their tasks are options, too."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config-dir", "-cd", nargs="?", action="append", default=[])
    parsed, _ = parser.parse_known_args(arguments)
    return tuple(Path(folder) for folder in parsed.config_dir if folder is not None)


def _compose(jobs: Jobs, arguments: Sequence[str], *, folders: Sequence[Path]) -> None:
    """Let Hydra compose the configuration of each job and run it."""
    import hydra

    from dfwe.conf import conf_dir

    run = hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")(jobs.run)
    sys.argv[1:] = arguments
    if os.environ.get(_FULL_ERROR) == "1":
        run()
    else:
        with _raised(), jobs.in_a_line(folders, arguments):
            run()


@contextmanager
def _raised() -> Iterator[None]:
    """Let Hydra raise its errors, which it prints otherwise and exits with 1."""
    before = os.environ.get(_FULL_ERROR)
    os.environ[_FULL_ERROR] = "1"
    try:
        yield
    finally:
        del os.environ[_FULL_ERROR]
        if before is not None:
            os.environ[_FULL_ERROR] = before


@dataclass
class Jobs:
    """The jobs of a command and what went wrong in them; `process` is the command's own."""

    process: int
    failures: list[str] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)  # dfwe's own

    def run(self, config: DictConfig) -> None:
        """Run one job; an error that its user can fix ends this job alone, and is in its folder, too."""
        from hydra.core.hydra_config import HydraConfig

        from dfwe.results.run_folder import note_failure

        folder = Path(HydraConfig.get().runtime.output_dir)
        try:
            with kept_interrupt():
                _study(config)
        except BrokenPipeError:
            sys.exit(PIPE_CLOSED)  # ends a sweep, too, where an Exception would end this job alone
        except Exception as error:
            self._fail(error, folder=folder)
        except (KeyboardInterrupt, SystemExit):
            if os.getpid() != self.process:  # of a launcher, and nobody reads what is printed there
                note_failure(folder, f"error: {_job()}ended by a signal: {GOES_ON}")
            raise

    def _fail(self, error: Exception, *, folder: Path) -> None:
        """Tell the user of the error; one of dfwe's own is raised again."""
        from dfwe.results.run_folder import OccupiedError, note_failure

        if (words := words_of(error)) is None:
            self.faults.append(error)
            raise error
        self.failures.append(complain(_job() + words))
        if not isinstance(error, OccupiedError):
            note_failure(folder, self.failures[-1])

    @contextmanager
    def in_a_line(self, folders: Sequence[Path], arguments: Sequence[str]) -> Iterator[None]:
        """Tell the user of what Hydra raises; faults of jobs, of this process or another, are raised again."""
        from dfwe.config.hydra_errors import in_our_words, no_option

        try:
            with in_our_words(folders):
                yield
        except Exception as error:
            if isinstance(error, OSError) and error.filename is not None:  # Hydra makes the folders
                folder = "hydra.run.dir (of a sweep hydra.sweep.dir)"
                raise OutputError(f"{words_of(error)}: set {folder} to a folder that can be written") from error
            if error in self.faults or isinstance(error, DfweError) or type(error).__name__ == "FailedJobError":
                raise
            raise ConfigurationError(no_option(arguments) or str(error) or repr(error)) from error


def _study(config: DictConfig) -> None:
    """One study, from its configuration to its table."""
    from hydra.core.hydra_config import HydraConfig

    from dfwe.config.consistency import check_study, complete

    check_study(complete(config))
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if config.plan_only:
        from dfwe.sweeps.plan import show_plan

        show_plan(config)
        return
    from dfwe.io.files import output_errors
    from dfwe.results.run_folder import check_same_study, forget_failure, lock_run_folder
    from dfwe.run_study import run_study  # torch and friends: seconds
    from dfwe.store.store import full_disk_errors

    folder, store = Path(HydraConfig.get().runtime.output_dir), Path(config.paths.store).expanduser()
    check_same_study(folder, list(HydraConfig.get().overrides.task))
    with (
        lock_run_folder(folder),
        full_disk_errors(store),
        output_errors(folder, below=folder, named=True),
    ):
        forget_failure(folder)
        run_study(config, folder=folder)


def _job() -> str:
    """Return how a line of a sweep's job begins."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    if not HydraConfig.initialized() or HydraConfig.get().mode != RunMode.MULTIRUN:
        return ""
    return f"job {HydraConfig.get().job.num} ({HydraConfig.get().job.override_dirname}): "


if __name__ == "__main__":
    as_process(lambda: as_one_command(main), advice=GOES_ON)
