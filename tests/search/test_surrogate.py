"""Proposals by predicted scores."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from dfwe.errors import SearchError
from dfwe.records import Evaluation, Trial
from dfwe.search.journal import Journal
from dfwe.search.loop import run_search
from dfwe.search.optimizers.sequence import Dirichlet
from dfwe.search.predictor import LabelMixture, Residuals
from dfwe.search.space import Space
from dfwe.search.surrogate import Surrogate, rank_correlation
from dfwe.search.trial_runner import TrialRunner

SPACE = Space(("a", "b", "c"))
SETTINGS = {
    "pool": 64,
    "rounds": 2,
    "spread": 1.0,
    "temperature": 0.05,
    "uncertainty_weight": 0.8,
    "length": 0.5,
    "noise": 1e-3,
    "exploration": 1.0,
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


def bent(model, coefficients, *, bend):
    """Label scores of a mixture of weights: those of a mixture of logits, and what grows with the distance to experts.

    What grows is the same for every candidate but for its size, so that one candidate tells of others.
    """
    row = SPACE.matrix(coefficients)[0]
    off = np.random.default_rng(9).normal(size=model.scores.shape[1:])
    return np.tensordot(row, model.scores, axes=1) + bend * (1.0 - (row**2).sum()) * off


def answered(model, answers):
    counts = model.counts[np.arange(len(answers)), [int(answer) for answer in answers]]
    return Evaluation(float(share_right(counts.sum(axis=0))), {}, tuple(answers), counts)


def evaluated(model, coefficients, *, sign=1.0, bend=0.0):
    """What a mixture truly scores; upside down with sign -1."""
    scores = bent(model, coefficients, bend=bend).astype(np.float32)
    found = answered(model, tuple(map(str, scores.argmax(axis=-1))))
    return replace(found, score=found.score if sign > 0 else 1.0 - found.score, label_scores=scores)


def surrogate(model, *, budget=10, seed=0, space=SPACE, **changes):
    inside = Dirichlet(space, seed=seed, budget=budget)
    return Surrogate(inside, space=space, mixture=model, seed=seed, **{**SETTINGS, **changes})


def searched(search, model, *, budget=10, sign=1.0, bend=0.0, known=(), journal=None):
    def evaluate(coefficients):
        return evaluated(model, coefficients, sign=sign, bend=bend)

    return run_search(search, space=SPACE, runner=TrialRunner(evaluate, journal), initial_trials=known, budget=budget)


def test_label_mixture_expected_matches_mixed_scores():
    scores = np.log([[[0.9, 0.1]], [[0.2, 0.8]]])
    model = LabelMixture(scores, np.array([[[1.0, 1.0], [0.0, 1.0]]]), share_right)
    found, _ = model.expected(model.mix(np.array([[1.0, 0.0], [0.5, 0.5]])), temperatures=np.ones(2))
    odds = np.sqrt(0.9 * 0.2) / np.sqrt(0.1 * 0.8)
    np.testing.assert_allclose(found, [0.9, odds / (1 + odds)])


def test_label_mixture_deviation_is_that_of_a_share():
    scores = np.log([[[0.5, 0.5], [0.5, 0.5]]])
    model = LabelMixture(scores, np.ones((2, 2, 2)), share_right)
    _, chance = model.expected(np.array([scores[0], [[9.0, 0.0], [9.0, 0.0]]]), temperatures=np.array([1.0, 0.01]))
    np.testing.assert_allclose(chance, [np.sqrt(2 * 0.5) / 2, 0.0], atol=1e-9)


def test_label_mixture_missing_label_is_never_expected():
    scores = np.array([[[-1.0, -np.inf]], [[-1.0, -np.inf]]])
    model = LabelMixture(scores, np.array([[[0.0, 1.0], [1.0, 1.0]]]), share_right)
    found, _ = model.expected(model.mix(np.array([[1.5, -0.5], [-1.0, -1.0]])), temperatures=np.full(2, 0.1))
    np.testing.assert_array_equal(found, [0.0, 0.0])


def test_residuals_are_exact_where_measured():
    points, measured = np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([[[0.1, 0.3]], [[-0.1, 0.0]]])
    asked = np.array([[0.0, 0.0], [0.5, 5.0]])
    mean, spread = Residuals(0.1, 1e-9).predict(asked, points=points, measured=measured)
    np.testing.assert_allclose(mean, [[[0.1, 0.3]], [[0.0, 0.0]]], atol=1e-6)
    np.testing.assert_allclose(spread, [0.0, np.sqrt((0.01 + 0.09 + 0.01) / 4)], atol=1e-5)


def test_residuals_between_points_follow_the_kernel():
    points, measured = np.array([[0.0], [1.0]]), np.array([[[1.0]], [[0.0]]])
    mean, _ = Residuals(1.0, 0.0).predict(np.array([[0.5]]), points=points, measured=measured)
    np.testing.assert_allclose(mean, np.exp(-0.125) / (1.0 + np.exp(-0.5)))


def test_surrogate_in_ten_matches_random_in_forty():
    better = []
    for seed in range(8):
        model = mixture(seed)
        few = searched(surrogate(model, seed=seed), model)
        many = searched(Dirichlet(SPACE, seed=seed, budget=40), model, budget=40)
        better.append(max(t.evaluation.score for t in few) >= max(t.evaluation.score for t in many))
    assert np.mean(better) > 0.5


def test_surrogate_learns_a_bent_surface():
    gained = []
    for seed in range(8):
        model = mixture(seed)
        heard, deaf = (surrogate(model, seed=seed) for _ in range(2))
        deaf.observe = lambda trial: None
        found = [searched(search, model, bend=4.0) for search in (heard, deaf)]
        gained.append(np.subtract(*(max(t.evaluation.score for t in trials) for trials in found)))
    assert np.mean(gained) > 0.01


def test_surrogate_reports_its_rank_correlation():
    search = surrogate(mixture())
    searched(search, mixture())
    report = search.report()
    assert report["rank_correlation"] > 0.3
    assert report["used_until"] == 9
    assert not report["switched_off"]


def test_surrogate_hands_over_if_it_ranks_badly(caplog):
    model = mixture()
    search = surrogate(model, budget=15)
    trials = searched(search, model, budget=15, sign=-1.0)
    alone = searched(Dirichlet(SPACE, seed=0, budget=9), model, budget=9, sign=-1.0)
    assert search.report()["switched_off"]
    assert search.report()["used_until"] == 6
    assert "the surrogate is off after 6 candidates" in caplog.text
    assert [t.coefficients for t in trials[7:]] == [t.coefficients for t in alone[1:]]


def test_surrogate_same_losses_give_same_points():
    first = [t.coefficients for t in searched(surrogate(mixture()), mixture())]
    assert first == [t.coefficients for t in searched(surrogate(mixture()), mixture())]


def test_surrogate_resumed_search_is_the_same(tmp_path):
    model = mixture()

    def run(budget, journal=None):
        return searched(surrogate(model, budget=budget), model, budget=budget, bend=1.0, journal=journal)

    def journal():
        return Journal(tmp_path, evaluate_predictions=partial(answered, model), keep_label_scores=True)

    run(6, journal())
    assert [t.coefficients for t in run(10, journal())] == [t.coefficients for t in run(10)]


def experts(model, *, score=None):
    for vertex in map(SPACE.vertex, SPACE.experts):
        found = replace(evaluated(model, vertex), label_scores=None)
        yield Trial(0, "expert", vertex, found if score is None else replace(found, score=score))


def test_surrogate_experts_need_no_label_scores():
    model = mixture()
    search = surrogate(model)
    searched(search, model, known=tuple(experts(model)), bend=1.0)
    assert search.report()["rank_correlation"] > 0.3


def test_surrogate_ignores_experts_off_their_vertices():
    model, space = mixture(), replace(SPACE, vertices=False)
    asked = []
    for known in ((), tuple(experts(model, score=1.0))):
        search = surrogate(model, space=space)
        search.initialize(known)
        asked.append(search.ask())
    np.testing.assert_array_equal(*asked)


def test_surrogate_logs_its_correlation(caplog):
    caplog.set_level(logging.INFO)
    searched(surrogate(mixture()), mixture())
    assert "ranks the last 6 candidates with a correlation of" in caplog.text


def test_rank_correlation_ties_get_mean_rank():
    assert rank_correlation([1.0, 2.0, 3.0], [10.0, 20.0, 90.0]) == pytest.approx(1.0)
    assert rank_correlation([1.0, 2.0, 3.0], [9.0, 5.0, 1.0]) == pytest.approx(-1.0)
    assert rank_correlation([1.0, 1.0, 2.0], [1.0, 2.0, 3.0]) == pytest.approx(np.sqrt(3) / 2)
    assert rank_correlation([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]) == 0.0


def test_label_mixture_of_another_split_raises():
    with pytest.raises(SearchError, match="scored 4 labels of 80 examples, but there are counts of 4 labels of 79"):
        LabelMixture(mixture().scores, mixture().counts[:79], share_right)


def test_surrogate_without_another_candidate_asks_one_again():
    model, space = mixture(), Space(("a",))
    model = LabelMixture(model.scores[:1], model.counts, share_right)
    search = surrogate(model, space=space)
    evaluation = answered(model, tuple(str(answer) for answer in model.answers(model.scores[0])))
    search.initialize([Trial(0, "expert", space.vertex("a"), evaluation)])
    assert space.at(search.ask()) == space.vertex("a")
