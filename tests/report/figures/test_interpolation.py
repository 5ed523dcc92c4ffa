"""Lines between pairs of experts."""

import pytest

from dfwe.report.figures.interpolation import PairLine, draw_interpolations

VALLEY = PairLine("a", "b", (0.0, 0.5, 1.0), (0.6, 0.2, 0.4))


def test_the_barrier_is_the_deepest_fall_below_the_straight_line():
    assert VALLEY.barrier == pytest.approx(0.3)  # the line is at 0.5 in the middle


def test_mixtures_above_the_line_have_no_barrier():
    assert PairLine("a", "b", (0.0, 0.5, 1.0), (0.2, 0.6, 0.4)).barrier == 0.0


def test_each_pair_has_a_line_and_its_barrier_in_the_legend():
    figure = draw_interpolations([VALLEY, PairLine("a", "c", (0.0, 1.0), (0.6, 0.7))])
    first, second = figure.axes[0].lines
    assert list(first.get_ydata()) == pytest.approx([60, 20, 40])
    assert list(second.get_xdata()) == [0.0, 1.0]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a → b: barrier 30.0", "a → c: barrier 0.0"]
