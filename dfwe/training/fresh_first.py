"""Fresh parameters first: the first epochs of a training leave all others as they are."""

from __future__ import annotations

from typing import Any, cast

import pytorch_lightning as pl
from torch import nn


class FreshFirst(pl.Callback):
    """Trains only the `fresh` parameters of the module's `model` in the first `epochs`, at a `learning_rate` of theirs.

    After these all are trained, at the rate `then`. Fresh parameters that learn together with pre-trained ones distort
    these before they fit them (Kumar et al. 2022, arXiv:2202.10054: linear probing, then fine-tuning). The number of
    the epoch decides: a resumed training goes on as if it had never stopped. What is frozen is not in its checkpoints.
    """

    def __init__(self, fresh: frozenset[str], *, epochs: int, learning_rate: float, then: float) -> None:
        self._fresh, self._epochs = fresh, epochs
        self._learning_rate, self._then = learning_rate, then

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Let a checkpoint lack what was frozen when it was written."""
        pl_module.strict_loading = False

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        """Freeze or thaw before an epoch's first batch (Lightning resumes without the hook of an epoch's start)."""
        if args[1] != 0:
            return
        is_first = trainer.current_epoch < self._epochs
        for name, parameter in cast(nn.Module, pl_module.model).named_parameters():
            parameter.requires_grad_(not is_first or name in self._fresh)
        for group in trainer.optimizers[0].param_groups:
            group["lr"] = self._learning_rate if is_first else self._then
