"""Barriers between two experts."""

import pytest

from dfwe.metrics.barrier import ExpertPath


def line(*scores):
    shares = [number / (len(scores) - 1) for number in range(len(scores))]
    points = [{"share": share, "dev": score} for share, score in zip(shares, scores, strict=True)]
    return ExpertPath.of({"a": "x", "b": "y", "points": points})


def test_the_barrier_is_the_deepest_fall_below_the_straight_line():
    assert line(0.6, 0.2, 0.4).barrier == pytest.approx(0.3)  # the line is at 0.5 in the middle


def test_the_deepest_fall_need_not_be_at_the_lowest_score():
    assert line(0.9, 0.5, 0.4, 0.1, 0.1).barrier == pytest.approx(0.2)  # 0.7 - 0.5; at the lowest it is 0.3 - 0.1, too
    assert line(0.9, 0.4, 0.4, 0.1, 0.1).barrier == pytest.approx(0.3)


def test_mixtures_above_the_line_have_no_barrier():
    assert line(0.2, 0.6, 0.4).barrier == 0.0


def test_equal_scores_have_no_barrier_to_the_last_bit():
    assert line(*[0.18196856906534326] * 7).barrier == 0.0


def test_a_point_whose_score_is_undefined_is_left_out():
    assert line(0.6, None, 0.2, 0.5, 0.6).barrier == pytest.approx(0.4)


@pytest.mark.parametrize("scores", [(None, 0.5, 0.6), (0.6, 0.5, None), (None, None)])
def test_barrier_without_an_end_is_none(scores):
    assert line(*scores).barrier is None


def test_points_are_put_in_order():
    points = [{"share": 1.0, "dev": 0.4}, {"share": 0.0, "dev": 0.6}]
    found = ExpertPath.of({"a": "x", "b": "y", "points": points})
    assert (found.shares, found.scores) == ((0.0, 1.0), (0.6, 0.4))
