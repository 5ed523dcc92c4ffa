"""The plan of one study, where a command asks for nothing else."""

from __future__ import annotations

from omegaconf import DictConfig

from dfwe.report.terminal.console import show_plain
from dfwe.report.terminal.plan_table import draw_plan
from dfwe.studies.plan import load_plan
from dfwe.sweeps.plan import summary


def show_plan(config: DictConfig) -> None:
    """Prints what the study needs; nothing runs.

    Raises:
        DfweError: what planning the study raises, and for a job that cannot be.
    """
    config.logger = None
    show_plain(draw_plan(summary([load_plan(config, reads_data=False).known()])))
