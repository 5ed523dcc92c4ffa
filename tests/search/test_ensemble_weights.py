"""Weights of an ensemble's members."""

from functools import partial

import numpy as np
import pytest

from dfwe.search.ensemble_weights import GreedyWeights, SearchedWeights
from dfwe.search.optimizers.nevergrad import NevergradSearch
from dfwe.search.predictor import LabelMixture
from dfwe.search.selection import Argmax, Bagged

NAMES = ("a", "b", "c")


def mixture_of(scores, gold):
    """A mixture whose metric is accuracy; `scores` are of members, examples and labels."""
    scores = np.asarray(scores, dtype=float)
    right = np.eye(scores.shape[2])[np.asarray(gold)]
    counts = np.stack([right, np.ones_like(right)], axis=-1)
    return LabelMixture(scores, counts, lambda totals: totals[..., 0] / totals[..., 1])


@pytest.fixture
def mixture():
    """Members a and b are each right where the other is not sure; c is always wrong, and sure of it."""
    generator = np.random.default_rng(0)
    gold = generator.integers(2, size=200)
    sign = np.where(gold == 1, 1.0, -1.0)
    half = np.arange(200) < 100
    margins = [np.where(half, 2, -1) * sign, np.where(half, -1, 2) * sign, -5 * sign]
    scores = [np.stack([np.zeros(200), margin], axis=1) for margin in margins]
    return mixture_of(scores, gold)


SEARCH = partial(NevergradSearch, optimizer="UnitNelderMead", budget=400, step=1.0)


@pytest.mark.parametrize("weights", [SearchedWeights(SEARCH, Argmax()), GreedyWeights(20)])
def test_the_best_weights_are_found(mixture, weights):
    found = weights.find(mixture, names=NAMES, seed=0)
    values = found.coefficients.as_dict()
    assert found.score == 1.0
    assert sum(values.values()) == pytest.approx(1)
    assert values["c"] < 0.2
    assert min(values["a"], values["b"]) > 0.3
    assert weights.find(mixture, names=NAMES, seed=0) == found


def test_greedy_selection_keeps_the_smallest_of_equals(mixture):
    alone = mixture_of(mixture.scores[:, :100], mixture.counts[:100, :, 0].argmax(axis=1))
    found = GreedyWeights(5).find(alone, names=NAMES, seed=0)
    assert found.coefficients.as_dict() == {"a": 1.0, "b": 0.0, "c": 0.0}
    assert found.num_tried == 15


def test_a_member_may_be_taken_more_than_once():
    gold = [0, 0, 0]
    margins = [[2, 2, -1], [-3, 1, 3], [-9, -9, -9]]
    scores = [[[margin, 0] for margin in of_member] for of_member in margins]
    found = GreedyWeights(6).find(mixture_of(scores, gold), names=NAMES, seed=0)
    assert found.coefficients.as_dict() == pytest.approx({"a": 2 / 3, "b": 1 / 3, "c": 0.0})


def test_other_selection_rules_choose_among_the_trials(mixture):
    found = SearchedWeights(SEARCH, Bagged(resamples=50, margin=0.01)).find(mixture, names=NAMES, seed=0)
    assert found.score > 0.9
