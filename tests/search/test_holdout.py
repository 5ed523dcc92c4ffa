"""Which dev examples a search sees."""

import numpy as np
import pytest

from dfwe.errors import SearchError
from dfwe.search.holdout import HoldoutSplit, KFold

STRATA = ["joy"] * 60 + ["anger"] * 30 + ["fear"] * 10


def held(rows):
    """How many of each stratum are not seen."""
    return {
        name: sum(not is_seen for is_seen, each in zip(rows, STRATA, strict=True) if each == name) for name in STRATA
    }


@pytest.mark.parametrize("seed", range(10))
def test_holdout_split_stratifies(seed):
    (seen,) = HoldoutSplit(0.3).masks(STRATA, seed=seed)
    assert (~seen).sum() == 30
    found = held(seen)
    assert all(abs(found[name] - 0.3 * STRATA.count(name)) <= 1 for name in found)


@pytest.mark.parametrize("seed", range(10))
def test_k_fold_partitions_and_stratifies(seed):
    folds = [~seen for seen in KFold(5).masks(STRATA, seed=seed)]
    assert (np.sum(folds, axis=0) == 1).all()
    assert [fold.sum() for fold in folds] == [20] * 5
    assert all(held(~fold) == {"joy": 12, "anger": 6, "fear": 2} for fold in folds)


def test_holdout_masks_depend_on_the_seed_alone():
    first, again, other = (HoldoutSplit(0.3).masks(STRATA, seed=seed)[0] for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_holdout_split_is_uniform_over_examples():
    # 2,000 deals: five standard errors of a share of 0.3 are 0.051
    shares = np.mean([~HoldoutSplit(0.3).masks(STRATA, seed=seed)[0] for seed in range(2000)], axis=0)
    assert np.abs(shares - 0.3).max() < 0.052


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: HoldoutSplit(0.3).masks(["joy"] * 2, seed=0), "cannot be held out of 2 dev examples"),
        (lambda: HoldoutSplit(0.9).masks(["joy"], seed=0), "cannot be held out of 1 dev examples"),
        (lambda: KFold(5).masks(["joy"] * 4, seed=0), "4 dev examples are too few for 5 folds"),
        (lambda: KFold(2).masks([], seed=0), "0 dev examples are too few for 2 folds"),
    ],
)
def test_holdout_too_few_examples_raise(make, match):
    with pytest.raises(SearchError, match=match):
        make()
