"""The score against the number of sources."""

import pytest

from dfwe.report.figures.numbers import draw_numbers


def test_each_target_has_a_line_of_means_with_their_spread():
    figure = draw_numbers({"x": {1: [0.2, 0.4], 2: [0.5]}}, merge="ties")
    (axes,) = figure.axes
    (bars,) = axes.containers
    line, _, (spread,) = bars
    assert list(line.get_xdata()) == [1, 2]
    assert list(line.get_ydata()) == pytest.approx([30, 50])
    ends = [segment[:, 1].tolist() for segment in spread.get_segments()]
    assert ends == [pytest.approx([30 - 200**0.5, 30 + 200**0.5]), pytest.approx([50, 50])]  # sd of 20 and 40
    assert list(axes.get_xticks()) == [1, 2]
    assert axes.get_ylabel() == "test score of ties × 100"


def test_targets_of_the_same_number_stand_beside_each_other():
    (axes,) = draw_numbers({"x": {3: [0.2]}, "y": {3: [0.2]}}, merge="ties").axes
    places = [bars[0].get_xdata()[0] for bars in axes.containers]
    assert places == pytest.approx([2.965, 3.035])
    assert list(axes.get_xticks()) == [3]
