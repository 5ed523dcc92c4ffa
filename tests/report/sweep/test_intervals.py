"""Means of differences over targets and seeds, and their intervals."""

import math

import numpy as np
import pytest

from dfwe.report.sweep.intervals import Difference, MeanDifference


def test_interval_over_targets_is_students_over_their_means():
    mean = MeanDifference.of(
        {"x": [Difference(0.0), Difference(0.02)], "y": [Difference(0.03)], "z": [Difference(0.05)]}
    )
    assert mean.value == pytest.approx(0.03)  # of 0.01, 0.03 and 0.05
    half = 4.302653 * 0.02 / math.sqrt(3)  # two degrees of freedom
    assert mean.ends == pytest.approx((0.03 - half, 0.03 + half))
    assert (mean.num_above, mean.num_targets) == (3, 3)


def test_one_seed_of_one_target_has_its_own_interval():
    assert MeanDifference.of({"x": [Difference(0.1, 0.05, [0.01, 0.2])]}).ends == (0.01, 0.2)
    assert MeanDifference.of({"x": [Difference(0.1)]}).ends is None


def test_seeds_of_one_target_share_the_error_of_test_instances():
    mean = MeanDifference.of({"x": [Difference(0.0, 0.02), Difference(0.04, 0.02)]})
    # variances: 0.0008 / 2 of seeds, 0.0004 of instances; degrees of freedom 1 * (0.0008 / 0.0004)**2 = 4
    half = 2.776445 * math.sqrt(0.0008)
    assert mean.ends == pytest.approx((0.02 - half, 0.02 + half))


def test_equal_seeds_leave_the_error_of_test_instances():
    mean = MeanDifference.of({"x": [Difference(0.25, 0.02), Difference(0.25, 0.02)]})
    assert mean.ends == pytest.approx((0.25 - 1.959964 * 0.02, 0.25 + 1.959964 * 0.02))


def test_an_unknown_error_leaves_no_interval_of_one_target():
    assert MeanDifference.of({"x": [Difference(0.1, 0.02), Difference(0.2)]}).ends is None


def test_targets_that_gain_nothing_are_not_counted():
    mean = MeanDifference.of({"x": [Difference(0.1)], "y": [Difference(0.0)], "z": [Difference(-0.1)]})
    assert (mean.num_above, mean.num_targets) == (1, 3)


def test_interval_over_five_targets_holds_its_level():
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(500):
        of_target = generator.normal(0, 2, (5, 1)) + generator.normal(0, 1.5, (5, 3))
        differences = {str(n): [Difference(float(value)) for value in seeds] for n, seeds in enumerate(of_target)}
        low, high = MeanDifference.of(differences).ends
        held += low <= 0 <= high
    assert 0.92 < held / 500 < 0.98
