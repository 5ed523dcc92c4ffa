"""The simplex of coefficients."""

import numpy as np
import pytest

from dfwe.report.figures.search import HEIGHT, draw_simplex, places, project
from dfwe.report.trials import SearchTrial


def trial(number, score=0.5, **coefficients):
    return SearchTrial(number, "search", coefficients, score)


def test_places_of_experts_are_the_corners():
    shares = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1 / 3, 1 / 3, 1 / 3]], dtype=float)
    assert places(shares) == pytest.approx(np.array([[0, 0], [1, 0], [0.5, HEIGHT], [0.5, HEIGHT / 3]]))


def test_three_experts_are_shown_as_they_are():
    found = project([trial(1, a=0.5, b=0.3, c=0.2)], selected={"a": 0.1, "b": 0.2, "c": 0.7})
    assert found.experts == ("a", "b", "c")
    assert found.shares == pytest.approx(np.array([[0.5, 0.3, 0.2]]))
    assert (found.hidden, found.left_out) == (pytest.approx(0.0), 0)


def test_project_four_experts_shows_the_largest_three():
    trials = [trial(1, a=0.4, b=0.2, c=0.2, d=0.2), trial(2, a=0.0, b=1.0, c=0.0, d=0.0), trial(3, None, a=1.0)]
    found = project(trials, selected={"a": 0.5, "b": 0.0, "c": 0.2, "d": 0.3})
    assert found.experts == ("a", "c", "d")
    assert found.shares == pytest.approx(np.array([[0.5, 0.25, 0.25]]))
    assert (found.numbers, found.scores) == ((1,), (0.5,))
    assert found.hidden == pytest.approx(0.2)
    assert found.left_out == 1


def test_simplex_points_are_coloured_and_one_ringed():
    found = project(
        [trial(1, 0.2, a=1.0, b=0.0, c=0.0), trial(2, 0.6, a=0.0, b=0.0, c=1.0)], selected=dict.fromkeys("abc", 1.0)
    )
    axes = draw_simplex(found, selected=2).axes[0]
    spots, ring = axes.collections
    assert np.asarray(spots.get_offsets()) == pytest.approx(np.array([[0, 0], [0.5, HEIGHT]]))
    assert list(spots.get_array()) == pytest.approx([20, 60])
    assert np.asarray(ring.get_offsets()) == pytest.approx(np.array([[0.5, HEIGHT]]))
    assert [text.get_text() for text in axes.texts] == ["a", "b", "c"]


def test_two_experts_are_a_line():
    found = project([trial(1, 0.2, a=0.75, b=0.25)], selected={"a": 0.7, "b": 0.3})
    (axes,) = draw_simplex(found, selected=None).axes
    assert np.asarray(axes.collections[0].get_offsets()) == pytest.approx(np.array([[0.25, 20]]))
    assert axes.get_xlabel() == "share of b (the rest: a)"
