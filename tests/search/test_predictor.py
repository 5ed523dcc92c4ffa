"""Scores guessed from label scores."""

from __future__ import annotations

import numpy as np
import pytest

from dfwe.search.predictor import LabelMixture, Residuals, ScorePredictor
from dfwe.search.space import Space

GOLD = np.array([0, 1, 1])
SCORES = np.log(np.array([[[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]], [[0.6, 0.4], [0.9, 0.1], [0.4, 0.6]]]))


def share_right(totals):
    return totals[..., 0] / totals[..., 1]


def predictor_of(space=None):
    counts = np.stack([np.eye(2)[GOLD], np.ones((3, 2))], axis=-1)
    mixture = LabelMixture(SCORES, counts, share_right)
    return ScorePredictor(
        space or Space(("a", "b")),
        mixture=mixture,
        residuals=Residuals(0.5, 1e-9),
        temperature=0.01,
        uncertainty_weight=1.0,
    )


def test_predictor_unobserved_scores_the_label_mixture():
    space = Space(("a", "b"))
    predictions = predictor_of().predict([space.start, space.vertex("b")])
    np.testing.assert_allclose(predictions.means, [2 / 3, 2 / 3], atol=1e-6)


def test_predictor_at_observed_candidate_is_exact():
    space, predictor = Space(("a", "b")), predictor_of()
    predictor.observe(space.start, scores=np.log(np.array([[0.2, 0.8], [0.1, 0.9], [0.1, 0.9]])).astype(np.float32))
    assert predictor.predict([space.start]).means[0] == pytest.approx(2 / 3, abs=1e-4)  # right in the second and third
    predictor.observe(space.start, scores=np.log(np.array([[0.8, 0.2], [0.1, 0.9], [0.1, 0.9]])).astype(np.float32))
    assert predictor.predict([space.start]).means[0] == pytest.approx(1.0, abs=1e-4)


def test_predictor_deviation_grows_with_distance():
    space, predictor = Space(("a", "b")), predictor_of()
    predictor.observe_expert(space.vertex("a"))
    predictor.observe(space.start, scores=SCORES.mean(axis=0) + np.array([[0.5, 0.0], [0.0, 0.5], [0.0, 0.5]]))
    near, far = (space.candidate(np.array([[share, 1.0 - share]])) for share in (0.55, 0.0))
    deviations = predictor.predict([near, far]).deviations
    assert deviations[0] < deviations[1]


def test_predictor_same_answers_are_known():
    space, predictor = Space(("a", "b")), predictor_of()
    predictor.observe_expert(space.vertex("a"))
    near = space.candidate(np.array([[0.99, 0.01]]))
    assert predictor.predict([near, space.start]).is_known.tolist() == [True, True]  # the experts answer alike
    predictor.observe(space.start, scores=SCORES[0][::-1])
    assert predictor.predict([near, space.start]).is_known.tolist() == [True, True]
    assert predictor.predict([space.candidate(np.array([[0.75, 0.25]]))]).is_known.tolist() == [False]


def test_predictor_does_not_depend_on_chunks():
    space, predictor = Space(("a", "b")), predictor_of()
    predictor.observe(space.start, scores=SCORES[0])
    many = [space.draw(np.random.default_rng(seed)) for seed in range(150)]
    np.testing.assert_allclose(predictor.predict(many).means, [predictor.predict([each]).means[0] for each in many])


def test_predictor_mixes_groups_by_their_mean():
    space = Space(("a", "b"), groups=("low", "high"))
    one_each = space.candidate(np.array([[1.0, 0.0], [0.0, 1.0]]))
    np.testing.assert_allclose(
        predictor_of(space).predict([one_each]).means, predictor_of().predict([Space(("a", "b")).start]).means
    )
