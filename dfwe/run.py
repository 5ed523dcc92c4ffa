"""The command: compose, plan, execute, report. Heavy imports wait until a study runs, so that --help is quick."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from dfwe.conf import conf_dir
from dfwe.errors import DfweError
from dfwe.files import output_errors
from dfwe.interrupt import ctrl_c_ends, kept_interrupt
from dfwe.options import help_text, register
from dfwe.stages.complete import complete
from dfwe.stages.run_folder import alone_in, check_same_study, forget_failure, note_failure
from dfwe.stages.run_name import register_run_name


def main() -> None:
    """Runs the study that the command line describes; exits with 2 where it cannot, with 130 at Ctrl-C."""
    failures: list[str] = []

    def job(config: DictConfig) -> None:
        folder = Path(HydraConfig.get().runtime.output_dir)
        try:
            with kept_interrupt():
                forget_failure(folder)
                _study(config)
        except DfweError as error:
            failures.append(_report(error))
            note_failure(folder, failures[-1])  # a launcher's job may run in another process

    try:
        if {"--help", "-h"} & set(sys.argv[1:]):
            print(help_text(_user_folders()))
            return
        register(_user_folders())
        register_run_name()
    except DfweError as error:
        failures.append(_report(error))
    else:
        with ctrl_c_ends():
            hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")(job)()
    if failures:
        sys.exit(2)


def _study(config: DictConfig) -> None:
    """One study, from its configuration to its table."""
    complete(config)
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if config.plan_only:
        from dfwe.stages.sweep.single import show_plan

        show_plan(config)
        return
    from dfwe.stages.study import run_study  # torch and friends: seconds
    from dfwe.store.disk import full_disk_said

    folder = Path(HydraConfig.get().runtime.output_dir)
    check_same_study(folder, list(HydraConfig.get().overrides.task))
    with alone_in(folder), full_disk_said(Path(config.paths.store)), output_errors(folder, below=folder, named=True):
        run_study(config, folder=folder)


def _report(error: DfweError) -> str:
    """Prints the error as one line on stderr, with the job it belongs to in a sweep."""
    job = ""
    if HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN:
        job = f"job {HydraConfig.get().job.num} ({HydraConfig.get().job.override_dirname}): "
    line = " ".join(f"error: {job}{error}".split())
    print(line, file=sys.stderr)
    return line


def _user_folders() -> tuple[Path, ...]:
    """The folders of --config-dir: their tasks are options, too."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config-dir", "-cd", action="append", default=[])
    known, _ = parser.parse_known_args()
    return tuple(Path(folder) for folder in known.config_dir)


if __name__ == "__main__":
    main()
