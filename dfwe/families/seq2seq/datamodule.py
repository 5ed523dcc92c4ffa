"""Batches of tensors for training, in an order that depends on the seed and the epoch alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from dfwe.families.batching import loss_weights, mixture_order, shuffled_batches
from dfwe.families.padding import pad
from dfwe.families.seq2seq.tokenization import TokenisedSplit

IGNORE = -100  # what the models' cross-entropy skips


class EpochBatches(Dataset[dict[str, Tensor]]):
    """The batches of one epoch over a mixture of tasks, built when they are asked for."""

    def __init__(
        self,
        tasks: Sequence[TokenisedSplit],
        *,
        batch_size: int,
        group_batches: int,
        pad_id: int,
        generator: np.random.Generator,
    ) -> None:
        self._tasks, self._pad_id = tasks, pad_id
        lengths = [list(task.tokens["length"]) for task in tasks]
        batches = [
            shuffled_batches(each, batch_size=batch_size, group_batches=group_batches, generator=generator)
            for each in lengths
        ]
        weights = loss_weights([len(each) for each in batches])
        queues = [iter(each) for each in batches]
        order = mixture_order([len(each) for each in batches], generator=generator)
        self._plan = [(task, next(queues[task]), weights[task]) for task in order]
        # free text with several references trains on one of them, drawn anew each epoch
        self._draws = [generator.random(len(members)) for _, members, _ in self._plan]

    def __len__(self) -> int:
        return len(self._plan)

    def __getitem__(self, step: int) -> dict[str, Tensor]:
        if step >= len(self._plan):
            raise IndexError(step)
        task, members, weight = self._plan[step]
        rows = self._tasks[task].tokens[members]
        targets = [each[int(draw * len(each))] for each, draw in zip(rows["targets"], self._draws[step], strict=True)]
        source = pad(rows["source"], value=self._pad_id)
        return {
            "input_ids": source,
            "attention_mask": pad([[1] * len(row) for row in rows["source"]], value=0),
            "labels": pad(targets, value=IGNORE),
            "loss_weight": torch.tensor(weight),
        }


class TrainingData(pl.LightningDataModule):
    """Training batches of a mixture; use with `reload_dataloaders_every_n_epochs=1`."""

    def __init__(
        self, tasks: Sequence[TokenisedSplit], *, batch_size: int, group_batches: int, pad_id: int, seed: int
    ) -> None:
        super().__init__()
        self._tasks, self._pad_id, self._seed = tasks, pad_id, seed
        self._batch_size, self._group_batches = batch_size, group_batches

    def train_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        """Return the current epoch's batches."""
        epoch = self.trainer.current_epoch if self.trainer is not None else 0
        generator = np.random.default_rng([self._seed, epoch])
        batches = EpochBatches(
            self._tasks,
            batch_size=self._batch_size,
            group_batches=self._group_batches,
            pad_id=self._pad_id,
            generator=generator,
        )
        return DataLoader(batches, batch_size=None)
