"""Pictures that are horizontal bars: coefficients, contributions, tasks."""

import pytest

from dfwe.report.figures.scores import TaskScores, draw_coefficients, draw_leave_one_out, draw_tasks
from dfwe.report.sweep.paper_table import PublishedScores


def names(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


def widths(axes):
    return [[bar.get_width() for bar in container] for container in axes.containers]


def test_coefficients_are_grouped_by_expert_with_a_bar_a_merge():
    figure = draw_coefficients({"one": {"a": 0.25, "b": 0.75}, "two": {"b": 0.4, "c": -0.1}})
    (axes,) = figure.axes
    assert names(axes) == ["a", "b", "c"]
    assert widths(axes) == [pytest.approx([0.25, 0.75]), pytest.approx([0.4, -0.1])]
    middle = [bar.get_y() + bar.get_height() / 2 for bar in axes.containers[1]]
    assert middle == pytest.approx([1.2, 2.2])  # the second of two bars in the groups of b and c
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["one", "two"]


def test_one_merge_needs_no_legend():
    assert draw_coefficients({"one": {"a": 1.0}}).legends == []


def test_leave_one_out_largest_comes_first():
    (axes,) = draw_leave_one_out({"a": -0.01, "b": 0.03}).axes
    assert names(axes) == ["b", "a"]
    assert widths(axes) == [pytest.approx([3, -1])]


def test_tasks_have_intervals_and_published_scores():
    tasks = {
        "x": TaskScores(0.4, 0.5, (0.3, 0.5), (0.45, 0.55), PublishedScores(41.0, 52.0, 11.0)),
        "y": TaskScores(0.2, 0.1),
    }
    (axes,) = draw_tasks(tasks, merge="ties").axes
    assert widths(axes) == [pytest.approx([40, 20]), pytest.approx([50, 10])]
    assert [list(line.get_xdata()) for line in axes.lines] == [pytest.approx([30, 50]), pytest.approx([45, 55])]
    assert [tuple(spots.get_offsets()[0]) for spots in axes.collections] == [(41.0, -0.2), (52.0, 0.2)]
