"""Batches: instances of like length together, and mixtures of tasks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def token_batches(lengths: Sequence[int], *, max_tokens: int) -> list[list[int]]:
    """Return indices sorted by length and cut so that no batch has more than `max_tokens` tokens with padding."""
    batches: list[list[int]] = []
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: (lengths[i], i)):
        if batch and (len(batch) + 1) * lengths[index] > max_tokens:
            batches.append(batch)
            batch = []
        batch.append(index)
    return [*batches, batch] if batch else batches


def shuffled_batches(
    lengths: Sequence[int], *, batch_size: int, group_batches: int, generator: np.random.Generator
) -> list[list[int]]:
    """Return every index once, in random batches whose members are of like length.

    Shuffles, sorts within groups of about `group_batches` batches, cuts, and shuffles the batches. More batches in a
    group waste less padding and leave less to chance. What does not fill a group joins the last one, so that the groups
    of a small set are no smaller than others.
    """
    order = generator.permutation(len(lengths))
    group = group_batches * batch_size
    starts = list(range(0, max(1, len(order) - group + 1), group))
    batches: list[list[int]] = []
    for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
        members = sorted((int(i) for i in order[start:end]), key=lambda i: lengths[i])
        batches += [members[i : i + batch_size] for i in range(0, len(members), batch_size)]
    return [batches[i] for i in generator.permutation(len(batches))]


def mixture_order(num_batches: Sequence[int], *, generator: np.random.Generator) -> list[int]:
    """Return the task of each step: drawn in proportion to the batches that tasks have left (the reference's way)."""
    left = np.asarray(num_batches, dtype=np.int64)
    order: list[int] = []
    while left.sum() > 0:
        task = int(generator.choice(len(left), p=left / left.sum()))
        left[task] -= 1
        order.append(task)
    return order


def loss_weights(num_batches: Sequence[int]) -> list[float]:
    """Return 1 / sqrt(number of batches) per task in a mixture (the reference's way); 1 for a task alone.

    Alone the factor would only rescale a loss that Adam divides out again, and change what gradient clipping means.
    """
    if len(num_batches) == 1:
        return [1.0]
    return [float(1 / np.sqrt(number)) for number in num_batches]
