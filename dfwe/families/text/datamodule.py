"""Training batches of source and target texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dfwe.families.batching import loss_weights, mixture_order, shuffled_batches
from dfwe.families.datamodule import BatchShare, EpochData
from dfwe.families.text.tokenization import TokenisedSplit

IGNORE = -100  # what the models' cross-entropy skips


class _Step(NamedTuple):
    task: int
    members: list[int]
    weight: float
    draws: np.ndarray  # in [0, 1) per member: which of several references it trains on


Collate = Callable[[Sequence[Sequence[int]], Sequence[Sequence[int]]], dict[str, Tensor]]
"""Makes a batch of sources and their targets."""


def text_data(
    tasks: Sequence[TokenisedSplit], *, batch_size: int, group_batches: int, collate: Collate, seed: int
) -> EpochData:
    """Return batches of a mixture of tasks, each with the loss weight of its task.

    Free text with several references trains on one of them, drawn anew each epoch.
    """
    lengths = [list(task.tokens["length"]) for task in tasks]

    def plan(generator: np.random.Generator) -> list[_Step]:
        batches = [
            shuffled_batches(of_task, batch_size=batch_size, group_batches=group_batches, generator=generator)
            for of_task in lengths
        ]
        counts = [len(of_task) for of_task in batches]
        weights, queues = loss_weights(counts), [iter(of_task) for of_task in batches]
        order = [(task, next(queues[task])) for task in mixture_order(counts, generator=generator)]
        return [_Step(task, members, weights[task], generator.random(len(members))) for task, members in order]

    def build(step: _Step, share: BatchShare) -> dict[str, Tensor]:
        rows = tasks[step.task].tokens[step.members]
        targets = [texts[int(draw * len(texts))] for texts, draw in zip(rows["targets"], step.draws, strict=True)]
        batch = collate(share.of(rows["source"]), share.of(targets))
        weight = step.weight
        if share.size > 1:  # the loss is a mean over tokens
            count, total = _num_tokens(batch["labels"]), _num_tokens(collate(rows["source"], targets)["labels"])
            weight *= share.weight(count, total=total, num_members=len(targets))
        return {**batch, "loss_weight": torch.tensor(weight)}

    return EpochData(plan, build, seed=seed)


def _num_tokens(labels: Tensor) -> int:
    return int((labels != IGNORE).sum())
