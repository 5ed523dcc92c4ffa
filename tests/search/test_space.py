from __future__ import annotations

import numpy as np
import pytest

from dfwe.errors import SearchError
from dfwe.records import Coefficients
from dfwe.search.space import Range, Setting, Space

NAMES = ("a", "b", "c")
SCALE = Setting("scale", Range(0.3, 1.5), 1.0)
SPACES = {
    "simplex": Space(NAMES),
    "box": Space(NAMES, box=Range(-0.5, 1.5)),
    "groups": Space(NAMES, groups=("low", "high")),
    "settings": Space(NAMES, settings=(SCALE, Setting("density", Range(0.0, 1.0), 0.2))),
    "all": Space(NAMES, groups=("low", "high"), box=Range(0.0, 2.0), settings=(SCALE,)),
}
each_space = pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)


@each_space
def test_space_zero_point_is_the_start(space):
    assert (space.matrix(space.start) == 1 / 3).all()
    assert space.values_of_settings(space.start) == {setting.name: setting.start for setting in space.settings}
    np.testing.assert_array_equal(space.at(np.zeros(space.dimensions)).values, space.start.values)


@each_space
def test_space_point_round_trip_returns_the_candidate(space):
    generator = np.random.default_rng(0)
    for _ in range(50):
        candidate = space.draw(generator)
        np.testing.assert_allclose(space.at(space.point(candidate)).values, candidate.values, rtol=1e-9, atol=1e-12)


@each_space
def test_space_points_of_any_size_are_candidates(space):
    for point in np.random.default_rng(1).normal(0, 1, (40, space.dimensions)) * np.logspace(-3, 8, 40)[:, None]:
        found = space.at(point)
        rows, settings = space.matrix(found), space.values_of_settings(found)
        if space.box is None:
            np.testing.assert_allclose(rows.sum(axis=1), 1.0)
        low, high = (0.0, 1.0) if space.box is None else (space.box.low, space.box.high)
        assert ((rows >= low) & (rows <= high)).all()
        assert all(each.box.low <= settings[each.name] <= each.box.high for each in space.settings)


@each_space
def test_space_larger_steps_move_values_further(space):
    for axis in np.eye(space.dimensions):
        place = int(axis.argmax())
        values = [space.at(step * axis).values[place] for step in (-2.0, -1.0, 0.0, 1.0, 2.0)]
        assert (np.diff(values) > 0).all()


def test_space_vertex_is_one_expert_in_every_group():
    space = SPACES["all"]
    np.testing.assert_array_equal(space.matrix(space.vertex("b")), [[0, 1, 0], [0, 1, 0]])
    assert space.values_of_settings(space.vertex("b")) == {"scale": 1.0}


@pytest.mark.parametrize("space", [SPACES["simplex"], SPACES["groups"], SPACES["settings"]])
def test_space_vertex_round_trip_is_exact(space):
    for name in NAMES:
        assert space.at(space.point(space.vertex(name))) == space.vertex(name)


def test_space_names_have_groups_if_there_are_several():
    assert SPACES["settings"].names == ("a", "b", "c", "method.scale", "method.density")
    assert SPACES["groups"].names == ("low/a", "low/b", "low/c", "high/a", "high/b", "high/c")


def test_space_candidate_splits_into_its_values():
    rows = np.arange(6.0).reshape(2, 3)
    found = SPACES["all"].candidate(rows, {"scale": 0.7})
    np.testing.assert_array_equal(SPACES["all"].matrix(found), rows)
    assert SPACES["all"].values_of_settings(found) == {"scale": 0.7}


def test_range_start_is_zero_and_edges_are_far():
    side = Range(-1.0, 3.0)
    assert side.at(0.0, start=0.5) == 0.5
    assert side.at(1e6, start=0.5) == 3.0
    assert side.at(-1e6, start=0.5) == pytest.approx(-1.0, abs=1e-12)
    assert side.point(0.5, start=0.5) == 0.0
    assert side.at(side.point(3.0, start=0.5), start=0.5) == pytest.approx(3.0)


def test_space_draws_are_uniform_over_ranges():
    generator = np.random.default_rng(3)
    values = np.array([SPACES["all"].draw(generator).values for _ in range(2000)])
    # a uniform variable's mean has the error width / sqrt(12 * 2000); five of them
    np.testing.assert_allclose(values.mean(axis=0), [1.0] * 6 + [0.9], atol=5 * 2 / np.sqrt(24000))


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (2.0, 1.0), (float("nan"), 1.0)])
def test_range_empty_raises(low, high):
    with pytest.raises(SearchError, match=rf"invalid range: low \({low}\) must be less than high \({high}\)"):
        Range(low, high)


@pytest.mark.parametrize("start", [0.3, 1.5, 2.0])
def test_setting_start_outside_its_range_raises(start):
    with pytest.raises(
        SearchError, match=rf"merge\.tuned_parameters\.scale: the method's own value {start}, .* from 0.3 to 1.5"
    ):
        Setting("scale", Range(0.3, 1.5), start)


@pytest.mark.parametrize("box", [Range(0.5, 1.0), Range(-1.0, 0.2)])
def test_space_range_without_equal_coefficients_raises(box):
    with pytest.raises(SearchError, match=r"merge\.coefficients: equal coefficients \(0\.333\)"):
        Space(NAMES, box=box)


def test_space_unknown_expert_lists_experts():
    with pytest.raises(SearchError, match=r"no expert is named 'd': there are a, b, c"):
        SPACES["simplex"].vertex("d")


def test_space_point_of_foreign_candidate_raises():
    with pytest.raises(SearchError, match=r"the search is over .*'a', 'b', 'c'.*, but a candidate is over .*'x'"):
        SPACES["simplex"].point(Coefficients(("x",), (1.0,)))
