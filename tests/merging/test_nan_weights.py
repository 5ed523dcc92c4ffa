"""Coefficients from the inverse of norms."""

import pytest
import torch

from dfwe.errors import MergeError
from dfwe.merging.nan_weights import NanWeights

RULE = NanWeights(of_weights=False, scale=1.0)


def experts(array):
    # task vectors (1, 0 | 0) and (0, 0 | 3) over two tensors: norms 1 and 3, inverses in the ratio 3 : 1
    first = {"v": torch.tensor([2.0, 1.0]), "w": torch.tensor([1.0])}
    second = {"v": torch.tensor([1.0, 1.0]), "w": torch.tensor([4.0])}
    return array([first, second], parent={"v": torch.ones(2), "w": torch.ones(1)})


def test_equal_coefficients_give_the_closed_form(array, merge):
    found = merge(RULE, experts(array), [0.5, 0.5])
    torch.testing.assert_close(found["v"], torch.tensor([1.75, 1.0]))
    torch.testing.assert_close(found["w"], torch.tensor([1.0 + 0.25 * 3]))


def test_coefficients_and_the_scale_multiply_it(array, merge):
    found = merge(RULE, experts(array), [0.25, 0.75], scale=2.0)
    torch.testing.assert_close(found["v"], torch.tensor([1.0 + 2 * 2 * 0.25 * 0.75, 1.0]))
    torch.testing.assert_close(found["w"], torch.tensor([1.0 + 2 * 2 * 0.75 * 0.25 * 3]))


def test_norms_can_be_those_of_the_weights(array, merge):
    # norms of (3, 4) and (0, 10): 5 and 10, inverses in the ratio 2 : 1
    both = array([{"w": torch.tensor([3.0, 4.0])}, {"w": torch.tensor([0.0, 10.0])}], parent={"w": torch.zeros(2)})
    found = merge(NanWeights(of_weights=True, scale=1.0), both, [0.5, 0.5])["w"]
    torch.testing.assert_close(found, torch.tensor([2.0, 6.0]))


def test_experts_in_another_order_give_the_same(array, merge):
    rows = [{"w": torch.randn(50, generator=torch.Generator().manual_seed(seed))} for seed in range(3)]
    parent = {"w": torch.zeros(50)}
    found = merge(RULE, array(rows, parent), [0.2, 0.3, 0.5])["w"]
    torch.testing.assert_close(merge(RULE, array(rows[::-1], parent), [0.5, 0.3, 0.2])["w"], found)


def test_an_expert_without_a_norm_is_told(array, merge):
    parent = {"w": torch.zeros(2)}
    both = array([{"w": torch.ones(2)}, parent], parent)
    with pytest.raises(MergeError, match="divides by norms, and expert 2's weights are the parent's"):
        merge(RULE, both, [0.5, 0.5])
    with pytest.raises(MergeError, match="divides by norms, and expert 2's weights are all 0"):
        merge(NanWeights(of_weights=True, scale=1.0), both, [0.5, 0.5])


def test_wrong_recipes_are_told(array, merge):
    with pytest.raises(MergeError, match="nan_weights needs the experts' common parent"):
        merge(RULE, array([{"w": torch.ones(2)}]), [1.0])
    with pytest.raises(MergeError, match="`of_weights` must be true or false"):
        NanWeights.from_recipe([None], {"of_weights": 0.5})
    assert NanWeights.from_recipe([None, None], {}) == (RULE, (0.5, 0.5))
    assert NanWeights.merges(["base", "a"], base="base") == ("a",)
