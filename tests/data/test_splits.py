import random

from dfwe.data.splits import REFERENCE_SEED, few_shot, reference_split

IDS = [f"{number:04d}" for number in range(3107)]


def test_the_benchmarks_number_of_dialogues_gives_its_sizes():
    sizes = {split: len(ids) for split, ids in reference_split(IDS).items()}
    assert sizes == {"train": 2175, "dev": 466, "test": 466}


def test_every_dialogue_is_in_one_split_and_splits_are_sorted():
    split = reference_split(IDS)
    assert sorted(sum(split.values(), ())) == IDS
    assert all(list(ids) == sorted(ids) for ids in split.values())


def test_the_split_rests_on_the_order_of_the_file():
    assert reference_split(IDS[:40]) == reference_split(IDS[:40])
    assert reference_split(IDS[:40]) != reference_split(IDS[39::-1])


def test_test_dialogues_come_first_in_the_shuffle_of_seed_zero():
    shuffled = IDS[:20]
    random.Random(0).shuffle(shuffled)
    split = reference_split(IDS[:20])
    assert set(split["test"]) == set(shuffled[:3])
    assert set(split["dev"]) == set(shuffled[3:6])


def test_few_shot_lists_have_the_benchmarks_sizes():
    split = reference_split(IDS)
    train, dev = few_shot(split["train"], dev_ids=split["dev"], share=0.1, seed=REFERENCE_SEED)
    assert (len(train), len(dev)) == (217, 46)
    assert set(train) < set(split["train"])
    assert set(dev) < set(split["dev"])


def test_another_seed_draws_others():
    draws = {few_shot(IDS[:40], dev_ids=IDS[40:80], share=0.1, seed=seed) for seed in range(5)}
    assert len(draws) == 5


def test_one_generator_draws_train_then_dev():
    generator = random.Random(2530)
    expected = [tuple(sorted(generator.sample(ids, 4))) for ids in (IDS[:40], IDS[40:80])]
    assert list(few_shot(IDS[39::-1], dev_ids=IDS[40:80], share=0.1, seed=REFERENCE_SEED)) == expected
