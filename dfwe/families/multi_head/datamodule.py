"""Training batches of tasks of sentences, in an order that depends on the seed and the epoch alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytorch_lightning as pl
from torch.utils.data import DataLoader, Dataset

from dfwe.errors import ConfigurationError
from dfwe.families.batching import mixture_order, shuffled_batches
from dfwe.families.multi_head.tokenization import SentenceSplit, sentence_batch

SCHEDULES = ("round_robin", "alternating", "proportional", "joint")
JOINT_EPOCHS = ("shortest", "longest")
Step = list[tuple[int, list[int]]]  # the step's batches: the task's number and its examples


def plan_epoch(
    lengths: Sequence[Sequence[int]],
    *,
    schedule: str,
    batch_size: int,
    group_batches: int,
    joint_epoch: str,
    generator: np.random.Generator,
) -> list[Step]:
    """Return the steps of an epoch over tasks whose examples have those lengths.

    `round_robin`: all batches of the first task, then all of the second, and so on. `alternating`: one batch of each
    task in turn, until all are used; a task that has no more is passed over. `proportional`: each batch's task is drawn
    in proportion to the batches that tasks have left. These have one batch a step. `joint`: one batch of every task a
    step. The task with the fewest batches says how many steps there are (`shortest`: what the
    others leave out is drawn anew each epoch), or the one with the most (`longest`: the others start over, reshuffled).
    """

    def draw(task: int) -> list[list[int]]:
        return shuffled_batches(lengths[task], batch_size=batch_size, group_batches=group_batches, generator=generator)

    tasks = range(len(lengths))
    batches = [draw(task) for task in tasks]
    if schedule == "round_robin":
        return [[(task, members)] for task in tasks for members in batches[task]]
    counts = [len(each) for each in batches]
    if schedule == "alternating":
        return [[(t, batches[t][turn])] for turn in range(max(counts)) for t in tasks if turn < counts[t]]
    if schedule == "proportional":
        queues = [iter(each) for each in batches]
        return [[(task, next(queues[task]))] for task in mixture_order(counts, generator=generator)]
    num_steps = min(counts) if joint_epoch == "shortest" else max(counts)
    for task in tasks:
        while len(batches[task]) < num_steps:
            batches[task] += draw(task)
    return [[(task, batches[task][step]) for task in tasks] for step in range(num_steps)]


class SentenceSteps(Dataset[list[dict[str, Any]]]):
    """The steps of one epoch, each a list of batches, built when they are asked for."""

    def __init__(self, splits: Sequence[SentenceSplit], *, plan: Sequence[Step]) -> None:
        self._splits, self._plan = splits, plan

    def __len__(self) -> int:
        return len(self._plan)

    def __getitem__(self, step: int) -> list[dict[str, Any]]:
        if step >= len(self._plan):
            raise IndexError(step)
        return [sentence_batch(self._splits[task], members) for task, members in self._plan[step]]


class SentenceData(pl.LightningDataModule):
    """Training batches of one task or several; use with `reload_dataloaders_every_n_epochs=1`. See `plan_epoch`."""

    def __init__(
        self,
        splits: Sequence[SentenceSplit],
        *,
        schedule: str,
        batch_size: int,
        group_batches: int,
        joint_epoch: str,
        seed: int,
    ) -> None:
        """Raises ConfigurationError for a schedule or a joint epoch that does not exist, or a task without examples."""
        super().__init__()
        _check(schedule, known=SCHEDULES, key="schedule")
        _check(joint_epoch, known=JOINT_EPOCHS, key="joint_epoch")
        for split in splits:
            if not len(split):
                raise ConfigurationError(f"{split.task} has no examples to train on")
        self._splits, self._seed = splits, seed
        self._schedule, self._joint_epoch = schedule, joint_epoch
        self._batch_size, self._group_batches = batch_size, group_batches

    def train_dataloader(self) -> DataLoader[list[dict[str, Any]]]:
        """Return the current epoch's steps."""
        epoch = self.trainer.current_epoch if self.trainer is not None else 0
        return DataLoader(SentenceSteps(self._splits, plan=self.plan(epoch)), batch_size=None)

    def plan(self, epoch: int) -> list[Step]:
        """Return an epoch's steps, counted from 0."""
        return plan_epoch(
            [split.lengths for split in self._splits],
            schedule=self._schedule,
            batch_size=self._batch_size,
            group_batches=self._group_batches,
            joint_epoch=self._joint_epoch,
            generator=np.random.default_rng([self._seed, epoch]),
        )


def _check(value: str, *, known: Sequence[str], key: str) -> None:
    if value not in known:
        raise ConfigurationError(f"{key} must be one of {', '.join(known)}, not '{value}'")
