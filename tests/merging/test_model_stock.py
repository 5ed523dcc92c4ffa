"""As far from the parent as the experts agree."""

import pytest
import torch

from dfwe.errors import MergeError
from dfwe.merging.model_stock import ModelStock, ModelStockByFilter
from dfwe.merging.task_arithmetic import TaskArithmetic

RULE = ModelStock(floor=0.0)
THIRDS = [1 / 3, 1 / 3, 1 / 3]


def around(array, *vectors, parent=(1.0, 1.0)):
    parent = torch.tensor(parent)
    return array([{"w": parent + torch.tensor(vector)} for vector in vectors], parent={"w": parent})


def test_the_way_of_two_experts_by_hand(array, merge):
    # task vectors (2, 0) and (1, sqrt 3): cosine 1/2, t = 2 c / (1 + c) = 2/3
    two = around(array, (2.0, 0.0), (1.0, 3.0**0.5))
    expected = torch.tensor([1 + 2 / 3 * 1.5, 1 + 2 / 3 * 3.0**0.5 / 2])
    torch.testing.assert_close(merge(RULE, two, [0.5, 0.5])["w"], expected)


def test_coefficients_weigh_the_mean_and_leave_the_way(array, merge):
    two = around(array, (2.0, 0.0), (1.0, 3.0**0.5))
    assert merge(RULE, two, [1.0, 0.0])["w"].tolist() == pytest.approx([1 + 4 / 3, 1.0])


def test_experts_that_agree_are_a_task_arithmetic_and_right_angles_stay_at_the_parent(array, merge):
    agreed = around(array, (1.0, 2.0), (2.0, 4.0), (4.0, 8.0))
    expected = merge(TaskArithmetic(scale=1.0), agreed, THIRDS)["w"]
    torch.testing.assert_close(merge(RULE, agreed, THIRDS)["w"], expected)
    assert merge(RULE, around(array, (3.0, 0.0), (0.0, 2.0)), [0.5, 0.5])["w"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize("rule", [RULE, ModelStockByFilter(floor=0.0)])
def test_experts_that_balance_out_or_did_not_move_leave_the_parent(array, merge, rule):
    for vectors in (((1.0, 2.0), (-1.0, -2.0)), ((0.0, 0.0), (0.0, 0.0))):
        assert merge(rule, around(array, *vectors), [0.5, 0.5])["w"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize("rule", [RULE, ModelStockByFilter(floor=0.0)])
def test_the_experts_order_does_not_matter(array, merge, rule):
    rows = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0)) + 0.5
    parent = {"w": torch.zeros(4, 5)}
    first = merge(rule, array([{"w": row} for row in rows], parent=parent), [0.5, 0.3, 0.2])["w"]
    other = merge(rule, array([{"w": rows[place]} for place in (2, 0, 1)], parent=parent), [0.2, 0.5, 0.3])["w"]
    torch.testing.assert_close(first, other)


def test_the_paper_knows_no_shortest_step_but_a_floor_does(array, merge):
    # as above, a thousandth as long: with a floor of 8e-6 the cosine is a quarter
    two = around(array, (2e-3, 0.0), (1e-3, 3.0**0.5 * 1e-3), parent=(0.0, 0.0))
    assert merge(RULE, two, [1.0, 0.0])["w"].tolist() == pytest.approx([2 / 3 * 2e-3, 0.0])
    assert merge(ModelStock(floor=8e-6), two, [1.0, 0.0])["w"].tolist() == pytest.approx([0.4 * 2e-3, 0.0])


def test_by_filter_each_row_is_a_model_stock(array, merge):
    rows = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0)) + 0.5
    names = "pqrs"
    whole = array([{"w": row} for row in rows], parent={"w": torch.ones(4, 5)})
    apart = array(
        [dict(zip(names, row, strict=True)) for row in rows], parent=dict(zip(names, torch.ones(4, 5), strict=True))
    )
    expected = torch.stack([merge(RULE, apart, [0.5, 0.3, 0.2])[name] for name in names])
    torch.testing.assert_close(merge(ModelStockByFilter(floor=0.0), whole, [0.5, 0.3, 0.2])["w"], expected)


@pytest.mark.parametrize("kind", [ModelStock, ModelStockByFilter])
def test_it_needs_a_parent_two_experts_and_a_sound_floor(array, merge, kind):
    with pytest.raises(MergeError, match="it needs at least two, not 1"):
        merge(kind(floor=0.0), around(array, (1.0, 0.0)), [1.0])
    with pytest.raises(MergeError, match="floor must be at least 0, not -1"):
        merge(kind(floor=-1.0), around(array, (1.0, 0.0), (0.0, 1.0)), [0.5, 0.5])
    with pytest.raises(MergeError, match="needs the experts' common parent"):
        merge(kind(floor=0.0), array([{"w": torch.ones(2)}] * 2), [0.5, 0.5])


def test_a_recipe_may_give_weights_and_ask_for_filters():
    assert ModelStock.merges(["a", "base", "b"], base="base") == ("a", "b")
    assert ModelStock.from_recipe([None, None], {}) == (ModelStock(floor=1e-6), (0.5, 0.5))
    assert ModelStock.from_recipe([1.0, 3.0], {"filter_wise": True}) == (ModelStockByFilter(floor=1e-6), (0.25, 0.75))
    with pytest.raises(MergeError, match="common parent"):
        ModelStock.merges(["a", "b"], base=None)


def test_the_reference_merge_is_met(reference, merge):
    experts, expected = reference("abc", merged="model_stock")
    found = merge(RULE, experts, THIRDS)
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-5, rtol=0)
