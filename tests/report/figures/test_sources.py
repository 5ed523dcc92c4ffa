"""The heat map of sets of sources by target."""

import numpy as np
import pytest

from dfwe.report.figures.sources import MOST, draw_sources


def test_the_best_set_is_on_top_and_cells_without_a_job_are_empty():
    figure = draw_sources({("a", "b"): {"x": 0.01}, ("b", "c"): {"x": 0.02, "y": 0.04}}, targets=["x", "y"])
    dots, heat = figure.axes
    values = np.ma.filled(heat.images[0].get_array(), np.nan)
    assert values == pytest.approx(np.array([[2, 4], [1, np.nan]]), nan_ok=True)
    assert [list(line.get_xdata()) for line in dots.lines] == [[1, 2], [0, 1]]  # b and c, then a and b
    assert [label.get_text() for label in dots.get_xticklabels()] == ["a", "b", "c"]
    assert [label.get_text() for label in heat.get_xticklabels()] == ["x", "y"]
    assert {text.get_text() for text in heat.texts} == {"+2.0", "+4.0", "+1.0"}


def test_no_difference_at_all_is_drawn():
    draw_sources({("a",): {"x": 0.0}}, targets=["x"])


def test_more_sets_than_fit_are_cut_at_the_worst():
    cells = {(f"s{number}",): {"x": number / 1000} for number in range(MOST + 5)}
    assert len(draw_sources(cells, targets=["x"]).axes[0].lines) == MOST
