"""Training batches in an order that depends on the seed and the epoch alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pytorch_lightning as pl
from torch.utils.data import DataLoader, Dataset

Member = TypeVar("Member")


class BatchShare(NamedTuple):
    """The part of each batch that one of several processes reads."""

    rank: int = 0
    size: int = 1

    def of(self, members: Sequence[Member]) -> Sequence[Member]:
        """Return its members, of like lengths as the others'; the first where too few are there for all."""
        return members[self.rank :: self.size] or members[:1]

    def weight(self, count: int, *, total: int, num_members: int) -> float:
        """Return the factor with which the mean of all processes' losses is that of the whole batch.

        A loss is a mean over `count` of the `total` that the batch's is over.
        """
        return self.size * count / total if self.rank < num_members else 0.0


class EpochData(pl.LightningDataModule):
    """Steps of training, planned anew for each epoch; use with `reload_dataloaders_every_n_epochs=1`.

    `plan` draws an epoch's steps, `build` makes the tensors of one of them when it is due: of this process's share.
    """

    def __init__(
        self,
        plan: Callable[[np.random.Generator], Sequence[Any]],
        build: Callable[[Any, BatchShare], Any],
        *,
        seed: int,
    ) -> None:
        super().__init__()
        self._plan, self._build, self._seed = plan, build, seed

    def plan(self, epoch: int) -> Sequence[Any]:
        """Return an epoch's steps, counted from 0."""
        return self._plan(np.random.default_rng([self._seed, epoch]))

    def train_dataloader(self) -> DataLoader[Any]:
        """Return the current epoch's steps."""
        trainer = self.trainer
        epoch = 0 if trainer is None else trainer.current_epoch
        share = BatchShare() if trainer is None else BatchShare(trainer.global_rank, trainer.world_size)
        return DataLoader(_Steps(self.plan(epoch), build=lambda step: self._build(step, share)), batch_size=None)


class _Steps(Dataset[Any]):
    def __init__(self, plan: Sequence[Any], *, build: Callable[[Any], Any]) -> None:
        self._plan, self._build = plan, build

    def __len__(self) -> int:
        return len(self._plan)

    def __getitem__(self, step: int) -> Any:
        return self._build(self._plan[step])  # IndexError behind the last one, as iterating needs it
