"""A command that torchrun or srun started in several processes is one command; nothing heavy is imported for others."""

from __future__ import annotations

import os
from collections.abc import Callable

_SIGNS = ("TORCHELASTIC_RUN_ID", "SLURM_STEP_NUM_TASKS")  # of torchrun and srun; Lightning's own classes look closer


def as_one_command(command: Callable[[], int]) -> int:
    """Run the command in rank 0 and return its exit code; the other processes do what it sends them, and return 0."""
    if not any(sign in os.environ for sign in _SIGNS):
        return command()
    from dfwe.execution.ranks import end_launched, work_if_launched

    if work_if_launched():
        return 0
    try:
        return command()
    finally:
        end_launched()
