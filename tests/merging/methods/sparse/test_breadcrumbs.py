"""Task vectors without small entries and outliers, with and without election."""

import pytest
import torch

from dfwe.merging.files.recipe_methods import recipe_method
from dfwe.merging.methods.linear import TaskArithmetic
from dfwe.merging.methods.sparse import Breadcrumbs

NAME = "density0.7_gamma0.05"


def pair(array):
    vectors = [[9.0, -1.0, 3.0, -4.0, 0.5], [-1.0, 2.0, -8.0, -6.0, 5.0]]
    return array([{"w": torch.tensor(values) + 1} for values in vectors], parent={"w": torch.ones(5)})


def test_breadcrumbs_band_by_hand(array, merge):
    # of five entries the largest goes and two are kept: (0, 0, 3, -4, 0) and (0, 0, 0, -6, 5)
    found = merge(Breadcrumbs(density=0.4, gamma=0.2, scale=2.0, aggregate="linear"), pair(array), [0.5, 0.5])
    assert found["w"].tolist() == [1.0, 1.0, 4.0, -9.0, 6.0]


@pytest.mark.parametrize(
    ("aggregate", "merged"),
    [("mean", [1.0, 1.0, 4.0, -4.0, 6.0]), ("sum", [1.0, 1.0, 4.0, -9.0, 6.0]), ("max", [1.0, 1.0, 4.0, -5.0, 6.0])],
)
def test_breadcrumbs_elections_by_hand(array, merge, aggregate, merged):
    found = merge(Breadcrumbs(0.4, 0.2, scale=1.0, aggregate=aggregate), pair(array), [0.5, 0.5])
    assert found["w"].tolist() == merged


def test_breadcrumbs_keeps_outliers_that_density_needs(array, merge):
    # four of five are kept, so that one outlier can go, not two
    found = merge(Breadcrumbs(density=0.8, gamma=0.4, scale=1.0, aggregate="linear"), pair(array), [1.0, 0.0])
    assert found["w"].tolist() == [1.0, 0.0, 4.0, -3.0, 1.5]


def test_breadcrumbs_of_equal_entries_keeps_exact_number(array, merge, monkeypatch):
    one = array([{"w": torch.ones(10)}], parent={"w": torch.zeros(10)})
    for block in (3, 100):
        monkeypatch.setattr("dfwe.merging.engine.BLOCK", block)
        found = merge(Breadcrumbs(density=0.5, gamma=0.2, scale=1.0, aggregate="linear"), one, [1.0])["w"]
        assert found.tolist() == [0.0] * 3 + [1.0] * 5 + [0.0] * 2


def test_breadcrumbs_full_density_is_task_arithmetic(array, merge):
    experts = pair(array)
    for coefficients in ([0.5, 0.5], [0.0, 1.0]):
        found = merge(Breadcrumbs(density=1.0, gamma=0.3, scale=0.7, aggregate="linear"), experts, coefficients)["w"]
        torch.testing.assert_close(found, merge(TaskArithmetic(scale=0.7), experts, coefficients)["w"])


@pytest.mark.parametrize("name", ["breadcrumbs", "breadcrumbs_ties"])
def test_breadcrumbs_matches_reference(reference, merge, name):
    experts, expected = reference("abc", merged=f"{name}_{NAME}")
    made, coefficients = recipe_method(name, where="").build((0.5, 0.3, 0.2), {"density": 0.7, "gamma": 0.05})
    found = merge(made, experts, coefficients)
    for tensor, values in expected.items():
        torch.testing.assert_close(found[tensor], values, atol=1e-5, rtol=0)
