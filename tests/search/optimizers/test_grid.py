from __future__ import annotations

import math

import numpy as np
import pytest

from dfwe.errors import SearchError
from dfwe.records import Coefficients
from dfwe.search.optimizers.sequence import Grid, lattice
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


def test_grid_two_steps_are_corners_and_edge_middles():
    values = [each.values for each in asked(ABC, steps=2)]
    halves = [(0, 0, 1), (0, 0.5, 0.5), (0, 1, 0), (0.5, 0, 0.5), (0.5, 0.5, 0), (1, 0, 0)]
    np.testing.assert_allclose(values, halves, atol=1e-15)
    assert set(values) >= {(0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)}  # exactly the experts, which are known


@pytest.mark.parametrize(("num", "steps"), [(1, 3), (2, 5), (4, 3), (5, 4)])
def test_grid_has_one_point_per_composition(num, steps):
    found = [each.values for each in lattice(Space(tuple("abcde")[:num]), steps=steps)]
    assert len(found) == len(set(found)) == math.comb(steps + num - 1, num - 1)
    np.testing.assert_allclose(np.sum(found, axis=1), 1.0)


def test_grid_uniform_point_is_exactly_the_start():
    assert ABC.start in asked(ABC, steps=3)


def test_grid_combines_ranges_groups_and_settings():
    setting = Setting("scale", Range(0.0, 2.0), 1.0)
    space = Space(("a", "b"), groups=("low", "high"), settings=(setting,))
    assert len(asked(space, steps=2)) == 3 * 3 * 3
    boxed = asked(Space(("a", "b"), box=Range(-1.0, 1.0)), steps=2)
    np.testing.assert_allclose([each.values for each in boxed[:4]], [(-1, -1), (-1, 0), (-1, 1), (0, -1)], atol=1e-12)
    assert len(boxed) == 9


@pytest.mark.parametrize(("steps", "evaluations"), [(2, 7), (3, 10)])
def test_grid_budget_includes_the_start(steps, evaluations):
    assert Grid(ABC, steps=steps, seed=0, budget=40).budget == evaluations
    assert Grid(ABC, steps=steps, seed=0, budget=evaluations).budget == evaluations


def test_grid_above_the_budget_raises():
    with pytest.raises(SearchError, match=r"4 steps over 5 values takes 71 evaluations, more than .*budget=40"):
        Grid(Space(tuple("abcde")), steps=4, seed=0, budget=40)


def test_grid_size_is_computed_without_points():
    with pytest.raises(SearchError, match=r"takes \d{20,} evaluations"):
        Grid(Space(tuple("abcde"), groups=tuple(map(str, range(12)))), steps=4, seed=0, budget=40)


def test_grid_batches_keep_the_order():
    search = Grid(ABC, steps=2, seed=0, budget=40, batch_size=4)
    first = [ABC.at(search.ask()) for _ in range(4)]
    assert first == asked(ABC, steps=2)[:4]
    assert isinstance(first[0], Coefficients)


def test_grid_supports_pruning_unless_off():
    assert Grid(ABC, steps=2, seed=0, budget=40).supports_pruning
    assert not Grid(ABC, steps=2, seed=0, budget=40, pruning=False).supports_pruning


@pytest.mark.parametrize(("num", "budget", "evaluations"), [(5, 40, 36), (5, 35, 16), (3, 40, 37), (1, 40, 1)])
def test_grid_default_is_as_fine_as_the_budget_allows(num, budget, evaluations):
    space = Space(tuple("abcde"[:num]))
    assert Grid(space, steps=None, seed=0, budget=budget).budget == evaluations


def test_grid_budget_below_the_coarsest_grid_raises():
    with pytest.raises(SearchError, match=r"1 step.* takes 6 evaluations.*raise the budget"):
        Grid(Space(tuple("abcde")), steps=None, seed=0, budget=5)
