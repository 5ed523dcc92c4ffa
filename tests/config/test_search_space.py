"""What a merge's search moves in, from its configuration."""

import pytest

from dfwe.config.merges import search_space
from dfwe.errors import ConfigurationError, SearchError
from dfwe.merging.methods.spherical import Slerp

METHOD = Slerp(parallel=0.9995)


def space(method=METHOD, coefficients="simplex", tuned_parameters=None):
    config = {"coefficients": coefficients, "tuned_parameters": tuned_parameters or {}}
    return search_space(config, method=method, experts=("a", "b"), groups=("",))


def test_search_space_tunes_from_the_methods_value():
    found = space(tuned_parameters={"parallel": {"low": 0.5, "high": 1.0}})
    assert found.names == ("a", "b", "method.parallel")
    assert found.start.values == (0.5, 0.5, 0.9995)


def test_search_space_coefficients_may_have_a_range():
    found = space(coefficients={"low": -1, "high": 2})
    assert (found.box.low, found.box.high) == (-1.0, 2.0)


@pytest.mark.parametrize(
    ("more", "kind", "message"),
    [
        ({"tuned_parameters": {"density": {"low": 0, "high": 1}}}, ConfigurationError, "has no number named 'density'"),
        ({"tuned_parameters": {"parallel": {"low": 1, "high": 1}}}, SearchError, "invalid range"),
        ({"tuned_parameters": {"parallel": {"low": 0.1, "high": 0.2}}}, SearchError, "the method's own value 0.9995"),
        ({"coefficients": {"low": 2, "high": 3}}, SearchError, "equal coefficients"),
    ],
)
def test_search_space_wrong_parameters_raise(more, kind, message):
    with pytest.raises(kind, match=message):
        space(**more)
