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
from dfwe.records import Instance

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

    Free text with several references trains on one of them, drawn anew each epoch; soft labels are targets that are
    drawn with a teacher's probabilities, so that the expected loss is the cross-entropy with these.
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
        instances = [tasks[step.task].instances[member] for member in step.members]
        drawn = zip(rows["targets"], instances, step.draws, strict=True)
        targets = [texts[drawn_target(instance, draw, num=len(texts))] for texts, instance, draw in drawn]
        batch = collate(share.of(rows["source"]), share.of(targets))
        weight = step.weight
        if share.size > 1:  # the loss is a mean over tokens
            count, total = _num_tokens(batch["labels"]), _num_tokens(collate(rows["source"], targets)["labels"])
            weight *= share.weight(count, total=total, num_members=len(targets))
        return {**batch, "loss_weight": torch.tensor(weight)}

    return EpochData(plan, build, seed=seed)


def drawn_target(instance: Instance, draw: float, *, num: int) -> int:
    """Return which of `num` targets a draw in [0, 1) takes: each as likely as its weight, or all alike."""
    if not instance.target_weights:
        return int(draw * num)
    ends = np.cumsum(instance.target_weights)
    return int(np.searchsorted(ends, draw * ends[-1], side="right"))


def _num_tokens(labels: Tensor) -> int:
    return int((labels != IGNORE).sum())
