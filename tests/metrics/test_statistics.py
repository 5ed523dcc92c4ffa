"""How sure scores are."""

from math import comb

import numpy as np
import pytest

from dfwe.metrics.statistics import holm, interval, mcnemar, resampled_scores, resampling_weights, two_sided_p


def share(totals):
    return totals[..., 0] / totals[..., 1]


def scores(right, *, resamples=4000):
    counts = np.stack([np.array(right, float), np.ones(len(right))], axis=1)
    weights = resampling_weights(len(right), resamples=resamples, generator=np.random.default_rng(0))
    return resampled_scores(counts, score=share, weights=weights)


def test_interval_approaches_the_normal_approximation():
    low, high = interval(scores([1] * 240 + [0] * 160))
    half = 1.96 * np.sqrt(0.6 * 0.4 / 400)
    assert (low, high) == (pytest.approx(0.6 - half, abs=0.005), pytest.approx(0.6 + half, abs=0.005))


def test_the_interval_of_a_certain_score_has_no_width():
    assert interval(scores([1, 1, 1])) == (1.0, 1.0)


def test_paired_resamples_have_the_standard_error():
    first, second = np.random.default_rng(0).integers(0, 2, size=(2, 400))
    error = np.std(scores(first) - scores(second))
    assert error == pytest.approx(np.std(first - second) / np.sqrt(400), rel=0.06)


@pytest.mark.parametrize(
    ("differences", "p"), [([1.0] * 99, 0.02), ([-1.0] * 99, 0.02), ([1.0, -1.0] * 50, 1.0), ([0.0] * 9, 1.0)]
)
def test_two_sided_p_counts_the_rarer_side_twice(differences, p):
    assert two_sided_p(np.array(differences)) == pytest.approx(p)


def test_mcnemar_is_the_binomial_tail():
    first = np.array([1] * 9 + [0] * 2 + [1] * 50, bool)
    second = np.array([0] * 9 + [1] * 2 + [1] * 50, bool)
    by_hand = 2 * sum(comb(11, k) for k in range(3)) / 2**11
    assert mcnemar(first, second) == mcnemar(second, first) == pytest.approx(by_hand)


def test_mcnemar_of_equally_right_models_is_1():
    one = np.array([True, False, True])
    assert mcnemar(one, one) == 1.0
    assert mcnemar(one, ~one) == 1.0


def test_holm_adjusts_in_order():
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == {"a": 0.03, "b": 0.06, "c": 0.06}
    assert holm({"a": 0.6, "b": 0.7}) == {"a": 1.0, "b": 1.0}
