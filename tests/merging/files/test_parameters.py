"""A recipe's parameters, by tensor."""

import pytest

from dfwe.errors import MergeError
from dfwe.merging.base import TensorInfo
from dfwe.merging.files.recipe import resolve_parameter


def at(setting, *, tensor="x.0.w", depth=0.0):
    return resolve_parameter(setting, tensor=TensorInfo(tensor, depth), label="`t`")


@pytest.mark.parametrize(("depth", "expected"), [(0.0, 0.0), (0.25, 1.0), (0.5, 2.0), (0.75, 5.0), (1.0, 8.0)])
def test_parameter_gradient_is_interpolated(depth, expected):
    assert at([0, 2, "8e0"], depth=depth) == expected


def test_parameter_takes_first_matching_filter():
    setting = [{"filter": "y", "value": 1}, {"filter": "x", "value": [2, 4]}, {"value": 5}]
    assert [at(setting, tensor=name, depth=1.0) for name in ("a.y", "x.y", "x", "z")] == [1.0, 1.0, 4.0, 5.0]
    assert at({"filter": "y", "value": 1}) is None
    assert at([{"filter": "*", "value": False}]) is False
    assert at([True, False], depth=0.5) is True


@pytest.mark.parametrize("setting", ["much", float("inf"), [[1]], [1, None], [{"filter": "x", "value": "?"}]])
def test_parameter_without_number_is_an_error(setting):
    with pytest.raises(MergeError, match="`t` must be a number, true or false, not"):
        at(setting)


@pytest.mark.parametrize("setting", [[{"filter": "x"}], [{"value": 1, "when": 2}], [{"filter": "q", "value": 1}, 2]])
def test_parameter_of_mixed_list_is_an_error(setting):
    with pytest.raises(MergeError, match="`t`: a list must have numbers, or entries with `value`"):
        at(setting)
