"""The trace of a search."""

import pytest

from dfwe.report.figures.search import best_so_far, draw_trace
from dfwe.report.trials import SearchTrial


def trial(number, score, bound=None):
    return SearchTrial(number, "search", {"a": 1.0}, score, bound)


TRIALS = [trial(1, 0.4), trial(2, 0.3), trial(3, None, bound=0.35), trial(4, 0.6), trial(5, 0.5)]


def points(axes, label):
    (found,) = [each for each in axes.collections if each.get_label() == label]
    return [tuple(spot) for spot in found.get_offsets()]


def test_the_best_so_far_rises_and_passes_over_stopped_trials():
    assert best_so_far(TRIALS) == [(1, 0.4), (2, 0.4), (4, 0.6), (5, 0.6)]
    assert best_so_far([]) == []


def test_trace_draws_scores_and_bounds():
    (axes,) = draw_trace(TRIALS, selected=4, levels={}).axes
    assert points(axes, "a candidate") == [pytest.approx(p) for p in ((1, 40), (2, 30), (4, 60), (5, 50))]
    assert points(axes, "stopped: at most") == [pytest.approx((3, 35))]
    assert points(axes, "kept") == [pytest.approx((4, 60))]
    (line,) = axes.lines
    assert list(line.get_ydata()) == pytest.approx([40, 40, 60, 60])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("evaluation", "dev score × 100")


def test_trace_draws_levels_as_lines():
    figure = draw_trace(TRIALS, selected=None, levels={"baseline": 0.45})
    assert [line.get_ydata()[0] for line in figure.axes[0].lines[1:]] == pytest.approx([45])
    assert "baseline: 45.0" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_trace_legend_has_only_present_marks():
    figure = draw_trace([trial(1, 0.4)], selected=7, levels={})
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a candidate", "best so far"]
