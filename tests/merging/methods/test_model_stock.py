"""As far from the parent as the experts agree."""

import pytest
import torch

from dfwe.merging.methods.linear import TaskArithmetic
from dfwe.merging.methods.spherical import ModelStock, ModelStockByFilter

METHOD = ModelStock(floor=0.0)
THIRDS = [1 / 3, 1 / 3, 1 / 3]


def around(array, *vectors, parent=(1.0, 1.0)):
    parent = torch.tensor(parent)
    return array([{"w": parent + torch.tensor(vector)} for vector in vectors], parent={"w": parent})


def test_model_stock_two_experts_by_hand(array, merge):
    # task vectors (2, 0) and (1, sqrt 3): cosine 1/2, t = 2 c / (1 + c) = 2/3
    two = around(array, (2.0, 0.0), (1.0, 3.0**0.5))
    expected = torch.tensor([1 + 2 / 3 * 1.5, 1 + 2 / 3 * 3.0**0.5 / 2])
    torch.testing.assert_close(merge(METHOD, two, [0.5, 0.5])["w"], expected)


def test_model_stock_coefficients_weigh_mean_alone(array, merge):
    two = around(array, (2.0, 0.0), (1.0, 3.0**0.5))
    assert merge(METHOD, two, [1.0, 0.0])["w"].tolist() == pytest.approx([1 + 4 / 3, 1.0])


def test_model_stock_of_equal_or_orthogonal_experts(array, merge):
    agreed = around(array, (1.0, 2.0), (2.0, 4.0), (4.0, 8.0))
    expected = merge(TaskArithmetic(scale=1.0), agreed, THIRDS)["w"]
    torch.testing.assert_close(merge(METHOD, agreed, THIRDS)["w"], expected)
    assert merge(METHOD, around(array, (3.0, 0.0), (0.0, 2.0)), [0.5, 0.5])["w"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize("method", [METHOD, ModelStockByFilter(floor=0.0)])
def test_model_stock_of_balanced_experts_is_the_parent(array, merge, method):
    for vectors in (((1.0, 2.0), (-1.0, -2.0)), ((0.0, 0.0), (0.0, 0.0))):
        assert merge(method, around(array, *vectors), [0.5, 0.5])["w"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize("method", [METHOD, ModelStockByFilter(floor=0.0)])
def test_model_stock_permuted_experts_give_same(array, merge, method):
    rows = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0)) + 0.5
    parent = {"w": torch.zeros(4, 5)}
    first = merge(method, array([{"w": row} for row in rows], parent=parent), [0.5, 0.3, 0.2])["w"]
    other = merge(method, array([{"w": rows[place]} for place in (2, 0, 1)], parent=parent), [0.2, 0.5, 0.3])["w"]
    torch.testing.assert_close(first, other)


def test_model_stock_floor_shortens_small_steps(array, merge):
    # as above, a thousandth as long: with a floor of 8e-6 the cosine is a quarter
    two = around(array, (2e-3, 0.0), (1e-3, 3.0**0.5 * 1e-3), parent=(0.0, 0.0))
    assert merge(METHOD, two, [1.0, 0.0])["w"].tolist() == pytest.approx([2 / 3 * 2e-3, 0.0])
    assert merge(ModelStock(floor=8e-6), two, [1.0, 0.0])["w"].tolist() == pytest.approx([0.4 * 2e-3, 0.0])


def test_model_stock_by_filter_merges_rows(array, merge):
    rows = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0)) + 0.5
    names = "pqrs"
    whole = array([{"w": row} for row in rows], parent={"w": torch.ones(4, 5)})
    apart = array(
        [dict(zip(names, row, strict=True)) for row in rows], parent=dict(zip(names, torch.ones(4, 5), strict=True))
    )
    expected = torch.stack([merge(METHOD, apart, [0.5, 0.3, 0.2])[name] for name in names])
    torch.testing.assert_close(merge(ModelStockByFilter(floor=0.0), whole, [0.5, 0.3, 0.2])["w"], expected)


def test_model_stock_matches_reference(reference, merge):
    experts, expected = reference("abc", merged="model_stock")
    found = merge(METHOD, experts, THIRDS)
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-5, rtol=0)
