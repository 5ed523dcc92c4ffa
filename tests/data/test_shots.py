"""Few shots by share and by number, on a corpus of ids alone."""

import pytest

from dfwe.data.readers.base import Corpus
from dfwe.data.shots import ALL, Shots
from dfwe.data.splits import few_shot
from dfwe.errors import ConfigurationError
from dfwe.records import Instance

IDS = tuple(f"d{number:02d}" for number in range(30))
SPLITS = {"train": IDS[:20], "dev": IDS[20:26], "test": IDS[26:]}
LISTED = {"0.2": {"train": ("d07",), "dev": ("d21",)}}


def corpus(**fields):
    return Corpus(dialogues={one: {"dialogue_id": one} for one in IDS}, splits=SPLITS, digest="x", **fields)


def instances(num):
    return [Instance(f"i{n}", f"d{n}", "context:", " what?", ("yes",), ("yes",)) for n in range(num)]


def test_all_takes_everything():
    assert {split: ALL.ids(corpus(), split=split) for split in SPLITS} == SPLITS
    assert ALL.take(instances(5), task="t", split="train") == tuple(instances(5))


def test_a_share_is_drawn_by_the_rule_of_the_reference():
    shots = Shots(0.2, seed=7)
    train, dev = few_shot(SPLITS["train"], dev_ids=SPLITS["dev"], share=0.2, seed=7)
    assert (shots.ids(corpus(), split="train"), shots.ids(corpus(), split="dev")) == (train, dev)
    assert (len(train), len(dev)) == (4, 1)


def test_the_corpus_own_list_wins_for_its_share_and_the_references_seed():
    listed = corpus(few_shot=LISTED)
    assert Shots(0.2, seed=2530).ids(listed, split="train") == ("d07",)
    assert len(Shots(0.2, seed=1).ids(listed, split="train")) == 4
    assert len(Shots(0.3, seed=2530).ids(listed, split="train")) == 6


@pytest.mark.parametrize("amount", [0.2, 3])
def test_test_stays_whole(amount):
    shots = Shots(amount, seed=2530)
    assert shots.ids(corpus(few_shot=LISTED), split="test") == SPLITS["test"]
    assert shots.take(instances(9), task="t", split="test") == tuple(instances(9))


def test_a_number_takes_so_many_instances_in_their_order():
    kept = Shots(4, seed=0).take(instances(50), task="t", split="train")
    numbers = [int(one.instance_id[1:]) for one in kept]
    assert len(kept) == 4
    assert numbers == sorted(numbers)
    assert numbers != [0, 1, 2, 3]


def test_fewer_shots_are_a_part_of_more():
    few, more = (Shots(n, seed=3).take(instances(50), task="t", split="dev") for n in (5, 20))
    assert set(few) < set(more)


def test_more_shots_than_there_are_take_all():
    assert Shots(60, seed=0).take(instances(50), task="t", split="train") == tuple(instances(50))


def test_the_draw_depends_on_seed_task_and_split():
    draws = [
        Shots(5, seed=seed).take(instances(50), task=task, split=split)
        for seed, task, split in [(0, "t", "train"), (0, "t", "dev"), (0, "u", "train"), (1, "t", "train")]
    ]
    assert len(set(draws)) == 4


def test_the_seed_is_in_the_spec_only_where_something_is_drawn():
    assert Shots("all", seed=1).spec() == Shots("all", seed=2).spec()
    assert Shots(5, seed=1).spec() != Shots(5, seed=2).spec()
    assert Shots(5, seed=1).spec() != Shots(6, seed=1).spec()


@pytest.mark.parametrize("amount", [0.0, 1.0, -0.1, 0, -3, True, "some", None, [1]])
def test_anything_else_is_an_error(amount):
    with pytest.raises(ConfigurationError, match="shots must be 'all', a share between 0 and 1, or a whole number"):
        Shots(amount, seed=0)
