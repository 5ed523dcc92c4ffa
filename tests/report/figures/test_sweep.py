"""Pictures of sweeps: the score by the number of sources, and sets of sources by target."""

import numpy as np
import pytest

from dfwe.report.figures.sweep import MOST_SETS, draw_numbers, draw_sources


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


def test_sources_best_set_is_on_top():
    figure = draw_sources({("a", "b"): {"x": 0.01}, ("b", "c"): {"x": 0.02, "y": 0.04}}, targets=["x", "y"])
    dots, heat = figure.axes
    values = np.ma.filled(heat.images[0].get_array(), np.nan)
    assert values == pytest.approx(np.array([[2, 4], [1, np.nan]]), nan_ok=True)
    assert [list(line.get_xdata()) for line in dots.lines] == [[1, 2], [0, 1]]  # b and c, then a and b
    assert [label.get_text() for label in dots.get_xticklabels()] == ["a", "b", "c"]
    assert [label.get_text() for label in heat.get_xticklabels()] == ["x", "y"]
    assert {text.get_text() for text in heat.texts} == {"+2.0", "+4.0", "+1.0"}


def test_no_difference_at_all_is_drawn():
    _, heat = draw_sources({("a",): {"x": 0.0}}, targets=["x"]).axes
    low, high = heat.images[0].get_clim()
    assert low < 0 < high
    assert [text.get_text() for text in heat.texts] == ["+0.0"]


def test_more_sets_than_fit_are_cut_at_the_worst():
    cells = {(f"s{number}",): {"x": number / 1000} for number in range(MOST_SETS + 5)}
    assert len(draw_sources(cells, targets=["x"]).axes[0].lines) == MOST_SETS
