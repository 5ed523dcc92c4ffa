"""Hydra's callback around a sweep: the plan before the first job, the tables after the last.

Light: it is made for every command, so heavy imports wait until there is a sweep.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from dfwe.config.hydra_errors import in_our_words
from dfwe.errors import DfweError
from dfwe.results.run_folder import ERROR

_IN_PROCESS = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"


class SweepCallback(Callback):
    """Prints the plan when a multirun starts, where `plan_only` ends it, and its tables when it has ended."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Plans; with `plan_only` the command ends here, with 0, or 2 where some job cannot run."""
        try:
            with in_our_words(_folders(config)):
                sound = _plan(config, name=kwargs["config_name"])
        except DfweError as error:
            print(f"no plan: {error}", file=sys.stderr)
            sound = False
        if config.plan_only:
            sys.exit(0 if sound else 2)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Reads the jobs' results and prints what they say together."""
        from dfwe.report.sweep.report import report_sweep

        try:
            report_sweep(Path(config.hydra.sweep.dir))
        except DfweError as error:
            print(f"no table of the sweep: {error}", file=sys.stderr)
        if config.report or not _is_page_refused(config):
            _write_page(Path(config.hydra.sweep.dir))
        if config.hydra.launcher._target_ != _IN_PROCESS and _said_elsewhere(Path(config.hydra.sweep.dir)):
            sys.exit(2)


def _is_page_refused(config: DictConfig) -> bool:
    """Report whether the command itself sets `report`; the ready sweeps set it for their jobs alone."""
    return any(override.lstrip("+").startswith("report=") for override in config.hydra.overrides.task)


def _write_page(folder: Path) -> None:
    """Write the page that compares the jobs, and print where it is."""
    from dfwe.report.html.compare_page import write_comparison  # matplotlib: a second

    try:
        print(f"page: {write_comparison([folder], out=None)}")
    except DfweError as error:
        print(f"no page of the sweep: {error}", file=sys.stderr)


def _said_elsewhere(folder: Path) -> bool:
    """Repeats the errors of jobs that ran in other processes, where nobody reads them; whether there are any."""
    lines = [path.read_text(encoding="utf8") for path in sorted(folder.rglob(ERROR))]
    print(*lines, sep="", end="", file=sys.stderr)
    return bool(lines)


def _plan(config: DictConfig, *, name: str) -> bool:
    """Prints the plan; whether every job can run."""
    import torch  # torch and friends: seconds
    from hydra import compose

    from dfwe.report.terminal.console import show_plain
    from dfwe.report.terminal.plan_table import draw_plan
    from dfwe.sweeps.jobs import jobs_of
    from dfwe.sweeps.plan import plan_sweep

    start, threads = time.perf_counter(), torch.get_num_threads()
    try:
        plan = plan_sweep(jobs_of(config), compose=lambda overrides: compose(name, overrides=list(overrides)))
    finally:
        torch.set_num_threads(threads)
    show_plain(draw_plan(plan))
    print(f"planned in {time.perf_counter() - start:.1f} s", flush=True)
    return not plan["failed"]


def _folders(config: DictConfig) -> list[Path]:
    """The user's own configuration folders."""
    sources = config.hydra.runtime.config_sources
    return [Path(source.path) for source in sources if source.schema == "file" and source.provider == "command-line"]
