"""Numbers for people."""

import pytest

from dfwe.report.numbers import short_interval, times_100


@pytest.mark.parametrize(("score", "words"), [(None, "undefined"), (0.1234, "12.3"), (-0.0003, "0.0"), (-0.2, "-20.0")])
def test_scores_are_times_100_and_have_no_negative_zero(score, words):
    assert times_100(score) == words


@pytest.mark.parametrize(
    ("ends", "words"), [(None, ""), ((0.481, 0.56), "48–56"), ((-0.2, -0.05), "-20 to -5"), ((-0.001, 0.0), "0–0")]
)
def test_short_intervals_below_0_can_be_read(ends, words):
    assert short_interval(ends) == words
