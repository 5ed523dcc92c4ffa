"""A recipe's parameters, by tensor."""

import pytest

from dfwe.errors import MergeError
from dfwe.merging.files.parameters import value
from dfwe.merging.place import Place, depths


def at(setting, *, tensor="x.0.w", depth=0.0):
    return value(setting, at=Place(tensor, depth), whose="`t`")


def test_depth_goes_from_the_first_layer_of_a_stack_to_its_last():
    names = ["enc.0.sub.7.w", "enc.2.sub.1.w", "dec.1.w", "dec.4.w", "only.0.w", "shared"]
    assert depths(names) == {
        "enc.0.sub.7.w": 0.0,
        "enc.2.sub.1.w": 1.0,
        "dec.1.w": 0.25,
        "dec.4.w": 1.0,
        "only.0.w": 1.0,
        "shared": 0.0,
    }


@pytest.mark.parametrize(("depth", "expected"), [(0.0, 0.0), (0.25, 1.0), (0.5, 2.0), (0.75, 5.0), (1.0, 8.0)])
def test_a_gradient_is_interpolated(depth, expected):
    assert at([0, 2, "8e0"], depth=depth) == expected


def test_the_first_filter_that_fits_decides():
    setting = [{"filter": "y", "value": 1}, {"filter": "x", "value": [2, 4]}, {"value": 5}]
    assert [at(setting, tensor=name, depth=1.0) for name in ("a.y", "x.y", "x", "z")] == [1.0, 1.0, 4.0, 5.0]
    assert at({"filter": "y", "value": 1}) is None
    assert at([{"filter": "*", "value": False}]) is False
    assert at([True, False], depth=0.5) is True


@pytest.mark.parametrize("setting", ["much", float("inf"), [[1]], [1, None], [{"filter": "x", "value": "?"}]])
def test_what_is_no_number_is_an_error(setting):
    with pytest.raises(MergeError, match="`t` must be a number, true or false, not"):
        at(setting)


@pytest.mark.parametrize("setting", [[{"filter": "x"}], [{"value": 1, "when": 2}], [{"filter": "q", "value": 1}, 2]])
def test_a_list_of_anything_else_is_an_error(setting):
    with pytest.raises(MergeError, match="`t`: a list must have numbers, or entries with `value`"):
        at(setting)
