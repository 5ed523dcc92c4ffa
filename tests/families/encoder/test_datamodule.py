"""Steps over several tasks of sentences, in the order that each schedule says."""

from types import SimpleNamespace

import numpy as np
import pytest

from dfwe.errors import ConfigurationError
from dfwe.families.encoder.data import SentenceSplit
from dfwe.families.encoder.datamodule import plan_epoch, sentence_data
from dfwe.records import Instance

SIZES = (4, 7, 2)  # batches of two: 2, 4 and 1


def plan(schedule, joint_epoch="shortest", seed=0):
    generator = np.random.default_rng(seed)
    lengths = [[5] * size for size in SIZES]
    return plan_epoch(
        lengths, schedule=schedule, batch_size=2, group_batches=2, joint_epoch=joint_epoch, generator=generator
    )


def used(steps, task):
    return sorted(member for step in steps for each, members in step if each == task for member in members)


def split(task, size):
    instances = tuple(Instance(f"{task}{n}", "d", "", "", (), (), sentences=("x",)) for n in range(size))
    return SentenceSplit(task, instances, tuple(([1, n + 3, 2],) for n in range(size)), np.zeros(size), 0)


def data(schedule, splits=None, epoch=0, seed=0, joint_epoch="shortest"):
    made = sentence_data(
        splits or [split("a", 4), split("b", 7)],
        schedule=schedule,
        batch_size=2,
        group_batches=2,
        joint_epoch=joint_epoch,
        seed=seed,
    )
    made.trainer = SimpleNamespace(current_epoch=epoch, global_rank=0, world_size=1)
    return made


def ids(made):
    return [[(one["task"], one["input_ids"][:, 1].tolist()) for one in step] for step in made.train_dataloader()]


@pytest.mark.parametrize(
    ("schedule", "order"), [("round_robin", [0, 0, 1, 1, 1, 1, 2]), ("alternating", [0, 1, 2, 0, 1, 1, 1])]
)
def test_one_batch_a_step_in_the_schedules_order_and_every_example_once(schedule, order):
    steps = plan(schedule)
    assert [task for ((task, _),) in steps] == order
    assert [used(steps, task) for task in range(3)] == [list(range(size)) for size in SIZES]


def test_plan_proportional_draws_tasks_and_uses_every_example_once():
    steps = plan("proportional")
    assert sorted(task for ((task, _),) in steps) == [0, 0, 1, 1, 1, 1, 2]
    assert [used(steps, task) for task in range(3)] == [list(range(size)) for size in SIZES]
    orders = {tuple(task for ((task, _),) in plan("proportional", seed=seed)) for seed in range(6)}
    assert len(orders) > 1


def test_a_joint_step_has_a_batch_of_every_task_as_often_as_the_smallest_task_has_batches():
    steps = plan("joint")
    assert [[task for task, _ in step] for step in steps] == [[0, 1, 2]]
    assert used(steps, 2) == [0, 1]


def test_in_the_longest_joint_epoch_smaller_tasks_start_over_reshuffled():
    steps = plan("joint", "longest")
    assert [[task for task, _ in step] for step in steps] == [[0, 1, 2]] * 4
    assert used(steps, 1) == list(range(7))
    assert used(steps, 0) == [0, 0, 1, 1, 2, 2, 3, 3]
    rounds = {str(sorted(step[0][1] for step in plan("joint", "longest", seed)[2:])) for seed in range(8)}
    assert len(rounds) > 1


def test_the_order_depends_on_the_seed_and_the_epoch_alone():
    first, again = ids(data("joint", epoch=3)), ids(data("joint", epoch=3))
    assert first == again
    assert first != ids(data("joint", epoch=4))
    assert first != ids(data("joint", epoch=3, seed=1))


def test_what_a_short_joint_epoch_leaves_out_is_drawn_in_later_ones():
    epochs = [ids(data("joint", epoch=epoch)) for epoch in range(12)]
    drawn = {token for steps in epochs for step in steps for token in step[1][1]}
    assert drawn == set(range(3, 10))


def test_every_step_is_a_list_of_batches():
    steps = list(data("round_robin").train_dataloader())
    assert [len(step) for step in steps] == [1] * 6
    assert [step[0]["task"] for step in steps] == ["a"] * 2 + ["b"] * 4
    assert set(steps[0][0]) == {"task", "input_ids", "attention_mask", "gold"}


def test_one_task_alone_is_the_same_under_every_schedule():
    one = [split("a", 5)]
    assert ids(data("joint", one)) == ids(data("alternating", one)) == ids(data("round_robin", one))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schedule": "robin"}, "schedule must be one of round_robin, alternating, proportional, joint, not 'robin'"),
        ({"schedule": "joint", "splits": [split("a", 0)]}, "a has no examples to train on"),
    ],
)
def test_what_cannot_be_trained_on_is_an_error(change, message):
    with pytest.raises(ConfigurationError, match=message):
        data(**change)
