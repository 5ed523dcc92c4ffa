"""Few shots by fraction and by number, and the reference's splits."""

import random

import pytest

from dfwe.data.few_shot import ALL, REFERENCE_SEED, Shots, few_shot_ids, reference_split
from dfwe.data.readers.base import Corpus
from dfwe.errors import ConfigurationError
from dfwe.records import Instance

IDS = tuple(f"d{number:02d}" for number in range(30))
SPLITS = {"train": IDS[:20], "dev": IDS[20:26], "test": IDS[26:]}
LISTED = {"0.2": {"train": ("d07",), "dev": ("d21",)}}


def corpus(**fields):
    return Corpus(dialogues={one: {"dialogue_id": one} for one in IDS}, splits=SPLITS, digest="x", **fields)


def instances(num):
    return [Instance(f"i{n}", f"d{n}", "context:", " what?", ("yes",), ("yes",)) for n in range(num)]


def test_shots_all_takes_everything():
    assert {split: ALL.ids(corpus(), split=split) for split in SPLITS} == SPLITS
    assert ALL.select(instances(5), task="t", split="train") == tuple(instances(5))


def test_shots_fraction_follows_the_reference():
    shots = Shots(0.2, seed=7)
    train, dev = few_shot_ids(SPLITS["train"], dev_ids=SPLITS["dev"], fraction=0.2, seed=7)
    assert (shots.ids(corpus(), split="train"), shots.ids(corpus(), split="dev")) == (train, dev)
    assert (len(train), len(dev)) == (4, 1)


def test_shots_prefer_the_corpus_list_for_its_seed():
    listed = corpus(few_shot=LISTED)
    assert Shots(0.2, seed=2530).ids(listed, split="train") == ("d07",)
    assert len(Shots(0.2, seed=1).ids(listed, split="train")) == 4
    assert len(Shots(0.3, seed=2530).ids(listed, split="train")) == 6


@pytest.mark.parametrize("amount", [0.2, 3])
def test_shots_keep_the_test_split(amount):
    shots = Shots(amount, seed=2530)
    assert shots.ids(corpus(few_shot=LISTED), split="test") == SPLITS["test"]
    assert shots.select(instances(9), task="t", split="test") == tuple(instances(9))


def test_shots_number_takes_instances_in_order():
    kept = Shots(4, seed=0).select(instances(50), task="t", split="train")
    numbers = [int(one.instance_id[1:]) for one in kept]
    assert len(kept) == 4
    assert numbers == sorted(numbers)
    assert numbers != [0, 1, 2, 3]


def test_shots_smaller_number_is_a_subset():
    few, more = (Shots(n, seed=3).select(instances(50), task="t", split="dev") for n in (5, 20))
    assert set(few) < set(more)


def test_shots_large_number_takes_all():
    assert Shots(60, seed=0).select(instances(50), task="t", split="train") == tuple(instances(50))


def of_classes(*labels):
    return [Instance(f"i{n}", f"d{n}", "context:", " what?", (label,), (label,)) for n, label in enumerate(labels)]


def test_shots_per_class_take_as_many_of_each():
    rows = of_classes(*"aabababaaac")
    drawn = Shots("2 per class", seed=0).select(rows, task="t", split="dev")
    assert sorted(row.references[0] for row in drawn) == ["a", "a", "b", "b", "c"]
    assert [rows.index(row) for row in drawn] == sorted(rows.index(row) for row in drawn)


def test_shots_per_class_smaller_number_is_a_subset():
    rows = of_classes(*"abc" * 30)
    few, more = (Shots(f"{num} per class", seed=1).select(rows, task="t", split="train") for num in (4, 16))
    assert (len(few), len(more)) == (12, 48)
    assert set(few) < set(more)


def test_shots_per_class_keep_test_and_all_dialogues():
    shots = Shots("2 per class", seed=0)
    assert shots.select(instances(9), task="t", split="test") == tuple(instances(9))
    assert shots.ids(corpus(few_shot=LISTED), split="train") == SPLITS["train"]
    assert shots.spec() == {"shots": "2 per class", "seed": 0}


@pytest.mark.parametrize("amount", ["0 per class", "per class", "8 per classes", "8perclass", "-1 per class"])
def test_shots_per_class_need_a_number(amount):
    with pytest.raises(ConfigurationError, match=r"such a number per class as '8 per class'"):
        Shots(amount, seed=0)


def test_shots_draw_depends_on_seed_task_and_split():
    draws = [
        Shots(5, seed=seed).select(instances(50), task=task, split=split)
        for seed, task, split in [(0, "t", "train"), (0, "t", "dev"), (0, "u", "train"), (1, "t", "train")]
    ]
    assert len(set(draws)) == 4


def test_shots_spec_has_seed_only_for_draws():
    assert Shots("all", seed=1).spec() == Shots("all", seed=2).spec()
    assert Shots(5, seed=1).spec() != Shots(5, seed=2).spec()
    assert Shots(5, seed=1).spec() != Shots(6, seed=1).spec()


@pytest.mark.parametrize("amount", [0.0, 1.0, -0.1, 0, -3, True, "some", None, [1]])
def test_shots_invalid_amount_raises(amount):
    with pytest.raises(ConfigurationError, match="shots must be 'all', a share between 0 and 1, a whole number"):
        Shots(amount, seed=0)


FILE_IDS = [f"{number:04d}" for number in range(3107)]


def test_reference_split_has_the_benchmark_sizes():
    sizes = {split: len(ids) for split, ids in reference_split(FILE_IDS).items()}
    assert sizes == {"train": 2175, "dev": 466, "test": 466}


def test_reference_split_is_disjoint_and_sorted():
    split = reference_split(FILE_IDS)
    assert sorted(sum(split.values(), ())) == FILE_IDS
    assert all(list(ids) == sorted(ids) for ids in split.values())


def test_reference_split_depends_on_file_order():
    assert reference_split(FILE_IDS[:40]) == reference_split(FILE_IDS[:40])
    assert reference_split(FILE_IDS[:40]) != reference_split(FILE_IDS[39::-1])


def test_reference_split_takes_test_first():
    shuffled = FILE_IDS[:20]
    random.Random(0).shuffle(shuffled)
    split = reference_split(FILE_IDS[:20])
    assert set(split["test"]) == set(shuffled[:3])
    assert set(split["dev"]) == set(shuffled[3:6])


def test_few_shot_lists_have_the_benchmarks_sizes():
    split = reference_split(FILE_IDS)
    train, dev = few_shot_ids(split["train"], dev_ids=split["dev"], fraction=0.1, seed=REFERENCE_SEED)
    assert (len(train), len(dev)) == (217, 46)
    assert set(train) < set(split["train"])
    assert set(dev) < set(split["dev"])


def test_few_shot_ids_depend_on_the_seed():
    draws = {few_shot_ids(FILE_IDS[:40], dev_ids=FILE_IDS[40:80], fraction=0.1, seed=seed) for seed in range(5)}
    assert len(draws) == 5


def test_few_shot_ids_draw_train_then_dev():
    generator = random.Random(2530)
    expected = [tuple(sorted(generator.sample(ids, 4))) for ids in (FILE_IDS[:40], FILE_IDS[40:80])]
    assert list(few_shot_ids(FILE_IDS[39::-1], dev_ids=FILE_IDS[40:80], fraction=0.1, seed=REFERENCE_SEED)) == expected
