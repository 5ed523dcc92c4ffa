"""Coefficients keep names beside values."""

import pytest

from dfwe.errors import MergeError
from dfwe.records import Coefficients


def test_uniform_and_vertices():
    assert Coefficients.uniform(["a", "b"]).as_dict() == {"a": 0.5, "b": 0.5}
    assert Coefficients.vertex(["a", "b"], of="b").as_array().tolist() == [0.0, 1.0]


@pytest.mark.parametrize(("names", "values"), [(("a",), (0.5, 0.5)), (("a", "a"), (0.5, 0.5))])
def test_every_name_has_one_value(names, values):
    with pytest.raises(MergeError, match="one value per expert"):
        Coefficients(names, values)


def test_values_are_finite():
    with pytest.raises(MergeError, match="must be finite"):
        Coefficients(("a",), (float("nan"),))
