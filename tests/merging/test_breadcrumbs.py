"""Task vectors without small entries and outliers, with and without election."""

import pytest
import torch

from dfwe.errors import MergeError
from dfwe.merging.breadcrumbs import Breadcrumbs
from dfwe.merging.breadcrumbs_ties import BreadcrumbsTies
from dfwe.merging.task_arithmetic import TaskArithmetic

NAME = "density0.7_gamma0.05"


def pair(array):
    vectors = [[9.0, -1.0, 3.0, -4.0, 0.5], [-1.0, 2.0, -8.0, -6.0, 5.0]]
    return array([{"w": torch.tensor(values) + 1} for values in vectors], parent={"w": torch.ones(5)})


def test_the_band_by_hand(array, merge):
    # of five entries the largest goes and two are kept: (0, 0, 3, -4, 0) and (0, 0, 0, -6, 5)
    found = merge(Breadcrumbs(density=0.4, gamma=0.2, scale=2.0), pair(array), [0.5, 0.5])
    assert found["w"].tolist() == [1.0, 1.0, 4.0, -9.0, 6.0]


@pytest.mark.parametrize(
    ("aggregate", "merged"),
    [("mean", [1.0, 1.0, 4.0, -4.0, 6.0]), ("sum", [1.0, 1.0, 4.0, -9.0, 6.0]), ("max", [1.0, 1.0, 4.0, -5.0, 6.0])],
)
def test_the_elections_by_hand(array, merge, aggregate, merged):
    found = merge(BreadcrumbsTies(0.4, 0.2, scale=1.0, aggregate=aggregate), pair(array), [0.5, 0.5])
    assert found["w"].tolist() == merged


def test_outliers_stay_where_the_density_needs_them(array, merge):
    # four of five are kept, so that one outlier can go, not two
    found = merge(Breadcrumbs(density=0.8, gamma=0.4, scale=1.0), pair(array), [1.0, 0.0])
    assert found["w"].tolist() == [1.0, 0.0, 4.0, -3.0, 1.5]


def test_of_equal_entries_the_exact_number_is_kept_whatever_the_blocks(array, merge, monkeypatch):
    one = array([{"w": torch.ones(10)}], parent={"w": torch.zeros(10)})
    for block in (3, 100):
        monkeypatch.setattr("dfwe.merging.driver.BLOCK", block)
        found = merge(Breadcrumbs(density=0.5, gamma=0.2, scale=1.0), one, [1.0])["w"]
        assert found.tolist() == [0.0] * 3 + [1.0] * 5 + [0.0] * 2


def test_a_density_of_1_is_task_arithmetic(array, merge):
    experts = pair(array)
    for coefficients in ([0.5, 0.5], [0.0, 1.0]):
        found = merge(Breadcrumbs(density=1.0, gamma=0.3, scale=0.7), experts, coefficients)["w"]
        torch.testing.assert_close(found, merge(TaskArithmetic(scale=0.7), experts, coefficients)["w"])


def test_settings_out_of_range_are_errors(array, merge):
    with pytest.raises(MergeError, match=r"breadcrumbs: density must be in \(0, 1\], not 1.5"):
        Breadcrumbs(density=1.5, gamma=0.0, scale=1.0).check(2)
    with pytest.raises(MergeError, match=r"breadcrumbs_ties: gamma must be in \[0, 1\), not 1"):
        BreadcrumbsTies(density=0.5, gamma=1.0, scale=1.0, aggregate="mean").check(2)


@pytest.mark.parametrize(("rule", "name"), [(Breadcrumbs, "breadcrumbs"), (BreadcrumbsTies, "breadcrumbs_ties")])
def test_the_reference_merges_are_met(reference, merge, rule, name):
    experts, expected = reference("abc", merged=f"{name}_{NAME}")
    made, coefficients = rule.from_recipe((0.5, 0.3, 0.2), {"density": 0.7, "gamma": 0.05})
    found = merge(made, experts, coefficients)
    for tensor, values in expected.items():
        torch.testing.assert_close(found[tensor], values, atol=1e-5, rtol=0)
