"""Lines between pairs of experts."""

import pytest

from dfwe.metrics.barrier import ExpertPath
from dfwe.report.figures.search import draw_interpolations

VALLEY = ExpertPath("a", "b", (0.0, 0.5, 1.0), (0.6, 0.2, 0.4))


def test_interpolation_draws_scores_line_and_barrier():
    figure = draw_interpolations([VALLEY, ExpertPath("a", "c", (0.0, 1.0), (0.6, 0.7))])
    first, second = figure.axes
    scores, straight = first.lines
    assert list(scores.get_ydata()) == pytest.approx([60, 20, 40])
    assert list(straight.get_ydata()) == pytest.approx([60, 40])
    (barrier,) = first.collections[0].get_segments()
    assert barrier.tolist() == [pytest.approx([0.5, 20]), pytest.approx([0.5, 50])]
    assert [axes.get_title("left") for axes in figure.axes] == ["a →\nb", "a →\nc"]
    assert [axes.get_title("right") for axes in figure.axes] == ["barrier\n30.0", "barrier\n0.0"]
    assert first.get_ylim() == second.get_ylim()


def test_a_pair_without_an_end_has_its_scores_alone():
    (axes,) = draw_interpolations([ExpertPath("a", "b", (0.5, 1.0), (0.2, 0.4))]).axes
    assert [list(line.get_xdata()) for line in axes.lines] == [[0.5, 1.0]]
    assert axes.get_title("right") == ""


def test_an_odd_number_of_pairs_leaves_one_place_empty():
    figure = draw_interpolations([VALLEY] * 3)
    assert [axes.get_visible() for axes in figure.axes] == [True, True, True, False]
