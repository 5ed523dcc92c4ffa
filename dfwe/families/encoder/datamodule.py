"""Training batches of tasks of sentences, by the schedules of "Cuts and Stitches" or in a mixture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dfwe.errors import ConfigurationError
from dfwe.families.batching import mixture_order, shuffled_batches
from dfwe.families.datamodule import BatchShare, EpochData
from dfwe.families.encoder.data import SentenceSplit, sentence_batch

SCHEDULES = ("round_robin", "alternating", "proportional", "joint")
JOINT_EPOCHS = ("shortest", "longest")
Step = list[tuple[int, list[int]]]  # the step's batches: the task's number and its examples


def sentence_data(
    splits: Sequence[SentenceSplit],
    *,
    schedule: str,
    batch_size: int,
    group_batches: int,
    joint_epoch: str,
    seed: int,
) -> EpochData:
    """Return training batches of one task or several; each step is a list of batches. See `plan_epoch`.

    Raises:
        ConfigurationError: a schedule or a joint epoch that does not exist, or a task without examples.
    """
    for key, value, choices in (("schedule", schedule, SCHEDULES), ("joint_epoch", joint_epoch, JOINT_EPOCHS)):
        if value not in choices:
            raise ConfigurationError(f"{key} must be one of {', '.join(choices)}, not '{value}'")
    for split in splits:
        if not len(split):
            raise ConfigurationError(f"{split.task} has no examples to train on")

    def plan(generator: np.random.Generator) -> list[Step]:
        return plan_epoch(
            [split.lengths for split in splits],
            schedule=schedule,
            batch_size=batch_size,
            group_batches=group_batches,
            joint_epoch=joint_epoch,
            generator=generator,
        )

    def build(step: Step, share: BatchShare) -> list[dict[str, Any]]:
        batches = [sentence_batch(splits[task], share.of(members)) for task, members in step]
        for batch, (_, members) in zip(batches, step, strict=True) if share.size > 1 else ():
            count, total = len(batch["gold"]), len(members)
            batch["share"] = share.weight(count, total=total, num_members=total)
        return batches

    return EpochData(plan, build, seed=seed)


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
    counts = [len(of_task) for of_task in batches]
    if schedule == "alternating":
        return [[(t, batches[t][turn])] for turn in range(max(counts)) for t in tasks if turn < counts[t]]
    if schedule == "proportional":
        queues = [iter(of_task) for of_task in batches]
        return [[(task, next(queues[task]))] for task in mixture_order(counts, generator=generator)]
    num_steps = min(counts) if joint_epoch == "shortest" else max(counts)
    for task in tasks:
        while len(batches[task]) < num_steps:
            batches[task] += draw(task)
    return [[(task, batches[task][step]) for task in tasks] for step in range(num_steps)]
