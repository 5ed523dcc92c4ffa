"""Stratified splits: each split has its share of every label, and groups stay whole."""

from collections import Counter

import pytest

from dfwe.data.readers.stratify import stratified

FRACTIONS = {"train": 0.6, "dev": 0.2, "test": 0.2}


def rows(**numbers):
    return {f"{label}{n}": Counter([label]) for label, number in numbers.items() for n in range(number)}


def counted(splits, labels):
    return {split: sum((labels[group] for group in groups), Counter()) for split, groups in splits.items()}


def test_each_split_has_its_share_of_every_label():
    labels = rows(often=50, seldom=10, rare=5)
    splits = counted(stratified(labels, fractions=FRACTIONS, seed=0), labels)
    assert splits == {
        "train": {"often": 30, "seldom": 6, "rare": 3},
        "dev": {"often": 10, "seldom": 2, "rare": 1},
        "test": {"often": 10, "seldom": 2, "rare": 1},
    }


@pytest.mark.parametrize(
    ("number", "train", "dev", "test"), [(1, 1, 0, 0), (2, 1, 1, 0), (4, 2, 1, 1), (7, 4, 2, 1), (12, 7, 3, 2)]
)
def test_train_and_dev_come_before_test(number, train, dev, test):
    labels = rows(one=number)
    sizes = {split: len(ids) for split, ids in stratified(labels, fractions=FRACTIONS, seed=0).items()}
    assert sizes == {"train": train, "dev": dev, "test": test}


def test_many_labels_of_few_rows_leave_no_split_empty():
    labels = rows(**{f"label{number}_": 4 for number in range(77)})
    sizes = [len(groups) for groups in stratified(labels, fractions={"train": 0.8, "dev": 0.2}, seed=0).values()]
    assert 40 <= sizes[1] <= 80


def test_stratified_depends_on_the_seed_and_keeps_the_order():
    labels = rows(a=20, b=20)
    first, again, other = (stratified(labels, fractions=FRACTIONS, seed=seed) for seed in (1, 1, 2))
    assert first == again != other
    places = [list(labels).index(group) for group in first["train"]]
    assert places == sorted(places)
    assert sorted(group for groups in first.values() for group in groups) == sorted(labels)


def test_stratified_groups_stay_whole_and_as_even_as_they_can():
    labels = {f"g{n}": Counter({"usual": 4, **({"rare": 1} if n % 4 == 0 else {})}) for n in range(20)}
    splits = stratified(labels, fractions=FRACTIONS, seed=0)
    assert {split: len(groups) for split, groups in splits.items()} == {"train": 12, "dev": 4, "test": 4}
    assert {split: counter["rare"] for split, counter in counted(splits, labels).items()} == {
        "train": 3,
        "dev": 1,
        "test": 1,
    }
