from __future__ import annotations

import math

import numpy as np
import pytest

from dfwe.errors import SearchError
from dfwe.records import Coefficients
from dfwe.search.optimizers.grid import Grid, lattice
from dfwe.search.space import Range, Setting, Space

ABC = Space(("a", "b", "c"))


def asked(space, *, steps, budget=1000, **options):
    search = Grid(space, steps=steps, seed=0, budget=budget, **options)
    points = []
    while (point := search.ask()) is not None:
        search.tell(point, loss=0.0)
        points.append(space.at(point))
    search.close()
    return points


def test_two_steps_over_three_experts_are_the_corners_and_the_middles_of_the_edges():
    values = [each.values for each in asked(ABC, steps=2)]
    halves = [(0, 0, 1), (0, 0.5, 0.5), (0, 1, 0), (0.5, 0, 0.5), (0.5, 0.5, 0), (1, 0, 0)]
    np.testing.assert_allclose(values, halves, atol=1e-15)
    assert set(values) >= {(0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)}  # exactly the experts, which are known


@pytest.mark.parametrize(("num", "steps"), [(1, 3), (2, 5), (4, 3), (5, 4)])
def test_there_are_as_many_points_as_compositions(num, steps):
    found = [each.values for each in lattice(Space(tuple("abcde")[:num]), steps=steps)]
    assert len(found) == len(set(found)) == math.comb(steps + num - 1, num - 1)
    np.testing.assert_allclose(np.sum(found, axis=1), 1.0)


def test_the_uniform_mixture_on_the_lattice_is_exactly_the_start():
    assert ABC.start in asked(ABC, steps=3)


def test_boxes_groups_and_settings_are_combined_in_full():
    setting = Setting("scale", Range(0.0, 2.0), 1.0)
    space = Space(("a", "b"), groups=("low", "high"), settings=(setting,))
    assert len(asked(space, steps=2)) == 3 * 3 * 3
    boxed = asked(Space(("a", "b"), box=Range(-1.0, 1.0)), steps=2)
    np.testing.assert_allclose([each.values for each in boxed[:4]], [(-1, -1), (-1, 0), (-1, 1), (0, -1)], atol=1e-12)
    assert len(boxed) == 9


@pytest.mark.parametrize(("steps", "evaluations"), [(2, 7), (3, 10)])
def test_the_budget_is_the_points_and_the_start_where_it_is_none_of_them(steps, evaluations):
    assert Grid(ABC, steps=steps, seed=0, budget=40).budget == evaluations
    assert Grid(ABC, steps=steps, seed=0, budget=evaluations).budget == evaluations


def test_more_points_than_the_budget_are_refused_with_their_number():
    with pytest.raises(SearchError, match=r"4 steps over 5 values takes 71 evaluations, more than .*budget=40"):
        Grid(Space(tuple("abcde")), steps=4, seed=0, budget=40)


def test_the_size_of_a_huge_grid_is_known_without_making_it():
    with pytest.raises(SearchError, match=r"takes \d{20,} evaluations"):
        Grid(Space(tuple("abcde"), groups=tuple(map(str, range(12)))), steps=4, seed=0, budget=40)


def test_a_grid_of_no_steps_is_refused():
    with pytest.raises(SearchError, match=r"merge\.search\.steps must be at least 1, not 0"):
        Grid(ABC, steps=0, seed=0, budget=40)


def test_several_asks_give_the_points_in_the_same_order():
    search = Grid(ABC, steps=2, seed=0, budget=40, batch_size=4)
    first = [ABC.at(search.ask()) for _ in range(4)]
    assert first == asked(ABC, steps=2)[:4]
    assert ABC.at(search.ask()) == first[0]  # four are pending
    assert isinstance(first[0], Coefficients)


def test_it_races_unless_it_is_told_not_to():
    assert Grid(ABC, steps=2, seed=0, budget=40).supports_pruning
    assert not Grid(ABC, steps=2, seed=0, budget=40, pruning=False).supports_pruning


@pytest.mark.parametrize(("num", "budget", "evaluations"), [(5, 40, 36), (5, 35, 16), (3, 40, 37), (1, 40, 1)])
def test_without_steps_the_grid_is_as_fine_as_the_budget_allows(num, budget, evaluations):
    space = Space(tuple("abcde"[:num]))
    assert Grid(space, steps=None, seed=0, budget=budget).budget == evaluations


def test_a_budget_too_small_for_the_coarsest_grid_is_an_error():
    with pytest.raises(SearchError, match=r"1 step.* takes 6 evaluations.*raise the budget"):
        Grid(Space(tuple("abcde")), steps=None, seed=0, budget=5)
