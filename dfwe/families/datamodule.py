"""Training batches in an order that depends on the seed and the epoch alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytorch_lightning as pl
from torch.utils.data import DataLoader, Dataset


class EpochData(pl.LightningDataModule):
    """Steps of training, planned anew for each epoch; use with `reload_dataloaders_every_n_epochs=1`.

    `plan` draws an epoch's steps, `build` makes the tensors of one of them when it is due.
    """

    def __init__(
        self, plan: Callable[[np.random.Generator], Sequence[Any]], build: Callable[[Any], Any], *, seed: int
    ) -> None:
        super().__init__()
        self._plan, self._build, self._seed = plan, build, seed

    def plan(self, epoch: int) -> Sequence[Any]:
        """Return an epoch's steps, counted from 0."""
        return self._plan(np.random.default_rng([self._seed, epoch]))

    def train_dataloader(self) -> DataLoader[Any]:
        """Return the current epoch's steps."""
        epoch = self.trainer.current_epoch if self.trainer is not None else 0
        return DataLoader(_Steps(self.plan(epoch), build=self._build), batch_size=None)


class _Steps(Dataset[Any]):
    def __init__(self, plan: Sequence[Any], *, build: Callable[[Any], Any]) -> None:
        self._plan, self._build = plan, build

    def __len__(self) -> int:
        return len(self._plan)

    def __getitem__(self, step: int) -> Any:
        return self._build(self._plan[step])  # IndexError behind the last one, as iterating needs it
