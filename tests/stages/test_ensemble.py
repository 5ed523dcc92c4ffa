"""Averaging label scores."""

import numpy as np
import pytest

from dfwe.search.predictor import mean_log_probabilities


def test_scores_are_normalised_over_labels_before_the_mean():
    first, second = np.log(np.array([[0.6, 0.2]])), np.log(np.array([[0.01, 0.03]]))
    # normalised 3/4, 1/4 and 1/4, 3/4: the experts weigh the same, however unlikely they find all labels
    assert mean_log_probabilities([first, second]) == pytest.approx(np.log(np.array([[3 / 16, 3 / 16]])) / 2)


def test_a_place_without_a_label_stays_without():
    scores = np.array([[0.0, -1.0, -np.inf]])
    assert mean_log_probabilities([scores, scores])[0, 2] == -np.inf


def test_one_sure_expert_outvotes_two_undecided_ones():
    sure, undecided = np.array([[-9.0, 0.0]]), np.array([[0.0, -1.0]])
    assert mean_log_probabilities([sure, undecided, undecided]).argmax() == 1
