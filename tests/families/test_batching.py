"""Batches by length, and mixtures as the reference draws them."""

from collections import Counter

import numpy as np
import pytest

from dfwe.families.batching import loss_weights, mixture_order, shuffled_batches, token_batches


def test_token_batches_hold_every_index_once_and_never_too_many_tokens():
    lengths = [5, 60, 7, 7, 30, 1, 64, 2]
    batches = token_batches(lengths, max_tokens=64)
    assert sorted(i for batch in batches for i in batch) == list(range(8))
    assert all(len(batch) * max(lengths[i] for i in batch) <= 64 for batch in batches)


def test_an_instance_longer_than_the_budget_has_a_batch_of_its_own():
    assert token_batches([100, 3], max_tokens=10) == [[1], [0]]


def test_shuffled_batches_hold_every_index_once_and_repeat_with_the_seed():
    lengths = list(range(50))
    first = shuffled_batches(lengths, batch_size=8, group_batches=4, generator=np.random.default_rng(1))
    again = shuffled_batches(lengths, batch_size=8, group_batches=4, generator=np.random.default_rng(1))
    other = shuffled_batches(lengths, batch_size=8, group_batches=4, generator=np.random.default_rng(2))
    assert sorted(i for batch in first for i in batch) == list(range(50))
    assert first == again != other


def test_members_of_a_batch_are_of_like_length():
    lengths = np.random.default_rng(0).integers(5, 100, 400).tolist()
    batches = shuffled_batches(lengths, batch_size=20, group_batches=4, generator=np.random.default_rng(0))
    padded = sum(len(batch) * max(lengths[i] for i in batch) for batch in batches)
    at_random = sum(20 * max(lengths[i : i + 20]) for i in range(0, 400, 20))
    assert padded - sum(lengths) < 0.5 * (at_random - sum(lengths))


def test_what_does_not_fill_a_group_joins_the_last_one():
    lengths = list(range(24, 0, -1))  # six batches of four: a group of four batches, and two batches that join it
    batches = shuffled_batches(lengths, batch_size=4, group_batches=4, generator=np.random.default_rng(0))
    in_order = sorted(sorted(lengths[i] for i in batch) for batch in batches)
    assert in_order == [list(range(start, start + 4)) for start in range(1, 25, 4)]


def test_groups_of_one_batch_do_not_sort():
    lengths = list(range(100))
    batches = shuffled_batches(lengths, batch_size=10, group_batches=1, generator=np.random.default_rng(0))
    assert all(max(batch) - min(batch) > 20 for batch in batches)


def test_a_mixture_takes_every_batch_of_every_task():
    order = mixture_order([3, 10, 1], generator=np.random.default_rng(0))
    assert Counter(order) == {0: 3, 1: 10, 2: 1}


def test_tasks_are_drawn_in_proportion_to_what_is_left():
    first = [mixture_order([1, 9], generator=np.random.default_rng(seed))[0] for seed in range(500)]
    assert np.mean([task == 1 for task in first]) == pytest.approx(0.9, abs=0.04)


def test_a_tasks_loss_weighs_one_over_the_root_of_its_batches():
    assert loss_weights([4, 25]) == [0.5, 0.2]


def test_a_task_alone_has_weight_one():
    assert loss_weights([25]) == [1.0]
