"""Proposals by predicted scores."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from dfwe.errors import SearchError
from dfwe.records import Coefficients, Evaluation, Trial
from dfwe.search.dirichlet import Dirichlet
from dfwe.search.label_mixture import LabelMixture
from dfwe.search.loop import run_search
from dfwe.search.residuals import Residuals
from dfwe.search.space import Space
from dfwe.search.surrogate import Surrogate, rank_correlation

SPACE = Space(("a", "b", "c"))
SETTINGS = {
    "pool": 64,
    "spread": 1.0,
    "temperature": 0.2,
    "length": 0.5,
    "noise": 0.3,
    "exploration": 1.0,
    "pull": 0.02,
    "control": 3,
    "window": 6,
    "least_correlation": 0.0,
}


def share_right(totals):
    return totals[..., 0] / totals[..., 1]


def mixture(seed=0, *, num=80, labels=4):
    """Three experts whose scores are noisy views of the truth, of unlike quality."""
    generator = np.random.default_rng(seed)
    gold = generator.integers(labels, size=num)
    signal = 1.2 * np.eye(labels)[gold]
    logits = np.stack([quality * signal + generator.normal(size=(num, labels)) for quality in (1.5, 1.0, 0.2)])
    scores = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    counts = np.stack([np.eye(labels)[gold], np.ones((num, labels))], axis=-1)
    return LabelMixture(scores, counts, share_right)


def evaluated(model, coefficients, *, sign=1.0):
    """What a mixture of logits truly scores; upside down with sign -1."""
    places = np.tensordot(SPACE.matrix(coefficients)[0], model.scores, axes=1).argmax(axis=-1)
    counts = model.counts[np.arange(len(places)), places]
    score = float(share_right(counts.sum(axis=0)))
    return Evaluation(score if sign > 0 else 1.0 - score, {}, tuple(map(str, places)), counts)


def surrogate(model, *, budget=10, seed=0, **changes):
    inside = Dirichlet(SPACE, seed=seed, budget=budget)
    return Surrogate(inside, space=SPACE, mixture=model, seed=seed, **{**SETTINGS, **changes})


def searched(search, model, *, budget=10, sign=1.0, known=()):
    def evaluate(coefficients):
        return evaluated(model, coefficients, sign=sign)

    return run_search(search, space=SPACE, evaluate=evaluate, known=known, journal=None, budget=budget)


def test_a_prediction_is_the_score_of_the_mixed_label_scores():
    scores = np.log([[[0.9, 0.1]], [[0.2, 0.8]]])
    counts = np.array([[[1.0, 1.0], [0.0, 1.0]]])
    found = LabelMixture(scores, counts, share_right).predict(np.array([[1.0, 0.0], [0.5, 0.5]]), temperature=1.0)
    odds = np.sqrt(0.9 * 0.2) / np.sqrt(0.1 * 0.8)
    np.testing.assert_allclose(found, [0.9, odds / (1 + odds)])


def test_a_label_that_an_example_lacks_is_never_predicted_even_by_negative_coefficients():
    scores = np.array([[[-1.0, -np.inf]], [[-1.0, -np.inf]]])
    counts = np.array([[[0.0, 1.0], [1.0, 1.0]]])
    found = LabelMixture(scores, counts, share_right).predict(np.array([[1.5, -0.5], [-1.0, -1.0]]), temperature=0.1)
    np.testing.assert_array_equal(found, [0.0, 0.0])


def test_candidates_are_predicted_alike_alone_and_among_many():
    model, rows = mixture(), np.random.default_rng(1).dirichlet(np.ones(3), size=150)
    alone = [model.predict(row[None], temperature=0.2)[0] for row in rows]
    np.testing.assert_allclose(model.predict(rows, temperature=0.2), alone)


def test_residuals_are_met_where_measured_and_uncertain_far_from_there():
    points = np.array([[0.0, 0.0], [1.0, 0.0]])
    mean, spread = Residuals(0.1, 1e-9).at(
        np.array([[0.0, 0.0], [0.5, 5.0]]), points=points, measured=np.array([0.1, -0.1])
    )
    np.testing.assert_allclose(mean, [0.1, 0.0], atol=1e-6)
    assert spread[0] < 1e-3 < spread[1]


def test_the_surrogate_finds_in_ten_evaluations_what_random_search_needs_forty_for():
    better = []
    for seed in range(8):
        model = mixture(seed)
        few = searched(surrogate(model, seed=seed), model)
        many = searched(Dirichlet(SPACE, seed=seed, budget=40), model, budget=40)
        better.append(max(t.evaluation.score for t in few) >= max(t.evaluation.score for t in many))
    assert np.mean(better) > 0.5


def test_its_rank_correlation_with_true_scores_is_reported():
    search = surrogate(mixture())
    searched(search, mixture())
    report = search.report()
    assert report["rank_correlation"] > 0.3
    assert report["used_until"] == 9
    assert not report["switched_off"]


def test_it_steps_aside_for_the_search_inside_where_it_ranks_badly(caplog):
    model = mixture()
    search = surrogate(model, budget=15)
    trials = searched(search, model, budget=15, sign=-1.0)
    alone = searched(Dirichlet(SPACE, seed=0, budget=9), model, budget=9, sign=-1.0)
    assert search.report()["switched_off"]
    assert search.report()["used_until"] == 6
    assert "the surrogate is off after 6 candidates" in caplog.text
    assert [t.coefficients for t in trials[7:]] == [t.coefficients for t in alone[1:]]


def test_the_same_losses_give_the_same_points():
    first = [t.coefficients for t in searched(surrogate(mixture()), mixture())]
    assert first == [t.coefficients for t in searched(surrogate(mixture()), mixture())]


def test_asked_twice_it_gives_the_same_point():
    search = surrogate(mixture())
    np.testing.assert_array_equal(search.ask(), search.ask())


def test_what_is_known_corrects_predictions():
    model = mixture()
    vertices = [Coefficients.vertex(SPACE.names, of=name) for name in SPACE.names]
    known = [Trial(0, "expert", vertex, evaluated(model, vertex)) for vertex in vertices]
    search = surrogate(model)
    searched(search, model, known=known)
    assert search.report()["rank_correlation"] > 0.3


def test_its_correlations_are_logged(caplog):
    caplog.set_level(logging.INFO)
    searched(surrogate(mixture()), mixture())
    assert "ranks the last 6 candidates with a correlation of" in caplog.text


def test_rank_correlation_gives_equals_their_mean_rank():
    assert rank_correlation([1.0, 2.0, 3.0], [10.0, 20.0, 90.0]) == pytest.approx(1.0)
    assert rank_correlation([1.0, 2.0, 3.0], [9.0, 5.0, 1.0]) == pytest.approx(-1.0)
    assert rank_correlation([1.0, 1.0, 2.0], [1.0, 2.0, 3.0]) == pytest.approx(np.sqrt(3) / 2)
    assert rank_correlation([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]) == 0.0


@pytest.mark.parametrize("wrong", [{"pool": 0}, {"spread": 0.0}, {"temperature": 0.0}, {"length": 0.0}, {"noise": 0.0}])
def test_a_setting_that_is_not_above_zero_is_refused(wrong):
    with pytest.raises(SearchError, match=f"the surrogate's {next(iter(wrong))} must be above 0, not 0"):
        surrogate(mixture(), **wrong)


@pytest.mark.parametrize("wrong", [{"control": 1}, {"window": 5}])
def test_too_small_a_control_or_window_is_refused(wrong):
    with pytest.raises(SearchError, match="at least 2 and its window at least 6"):
        surrogate(mixture(), **wrong)


def test_scores_of_another_split_are_refused():
    with pytest.raises(SearchError, match="scored 4 labels of 80 examples, but there are counts of 4 labels of 79"):
        LabelMixture(mixture().scores, mixture().counts[:79], share_right)
