"""W&B through Lightning's logger: online with a key, offline without one, never an error for want of one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pytorch_lightning.loggers import WandbLogger


def wandb_logger(*, project: str, folder: str) -> WandbLogger:
    """A logger whose run lies in the study's own folder."""
    import wandb

    key = os.environ.get("WANDB_API_KEY") or wandb.api.api_key
    offline = os.environ.get("WANDB_MODE") == "offline" or not key
    return WandbLogger(project=project, save_dir=folder, offline=offline, settings=wandb.Settings(silent=True))


def finish(logger: Any, *, summary: Mapping[str, float]) -> None:
    """Writes the final numbers as the run's summary and closes it; loggers without a summary need nothing."""
    if isinstance(logger, WandbLogger):
        logger.experiment.summary.update(dict(summary))
        logger.experiment.finish()
