"""Coefficients from the inverse of norms."""

import pytest
import torch

from dfwe.errors import MergeError
from dfwe.merging.methods.linear import NanWeights

METHOD = NanWeights(of_weights=False, scale=1.0)


def experts(array):
    # task vectors (1, 0 | 0) and (0, 0 | 3) over two tensors: norms 1 and 3, inverses in the ratio 3 : 1
    first = {"v": torch.tensor([2.0, 1.0]), "w": torch.tensor([1.0])}
    second = {"v": torch.tensor([1.0, 1.0]), "w": torch.tensor([4.0])}
    return array([first, second], parent={"v": torch.ones(2), "w": torch.ones(1)})


def test_nan_weights_equal_coefficients_give_closed_form(array, merge):
    found = merge(METHOD, experts(array), [0.5, 0.5])
    torch.testing.assert_close(found["v"], torch.tensor([1.75, 1.0]))
    torch.testing.assert_close(found["w"], torch.tensor([1.0 + 0.25 * 3]))


def test_nan_weights_coefficients_and_scale_multiply_weights(array, merge):
    found = merge(METHOD, experts(array), [0.25, 0.75], scale=2.0)
    torch.testing.assert_close(found["v"], torch.tensor([1.0 + 2 * 2 * 0.25 * 0.75, 1.0]))
    torch.testing.assert_close(found["w"], torch.tensor([1.0 + 2 * 2 * 0.75 * 0.25 * 3]))


def test_nan_weights_of_weights_uses_their_norms(array, merge):
    # norms of (3, 4) and (0, 10): 5 and 10, inverses in the ratio 2 : 1
    both = array([{"w": torch.tensor([3.0, 4.0])}, {"w": torch.tensor([0.0, 10.0])}], parent={"w": torch.zeros(2)})
    found = merge(NanWeights(of_weights=True, scale=1.0), both, [0.5, 0.5])["w"]
    torch.testing.assert_close(found, torch.tensor([2.0, 6.0]))


def test_nan_weights_permuted_experts_give_same(array, merge):
    rows = [{"w": torch.randn(50, generator=torch.Generator().manual_seed(seed))} for seed in range(3)]
    parent = {"w": torch.zeros(50)}
    found = merge(METHOD, array(rows, parent), [0.2, 0.3, 0.5])["w"]
    torch.testing.assert_close(merge(METHOD, array(rows[::-1], parent), [0.5, 0.3, 0.2])["w"], found)


def test_nan_weights_expert_without_norm_is_an_error(array, merge):
    parent = {"w": torch.zeros(2)}
    both = array([{"w": torch.ones(2)}, parent], parent)
    with pytest.raises(MergeError, match="divides by norms, and expert 2's weights are the parent's"):
        merge(METHOD, both, [0.5, 0.5])
    with pytest.raises(MergeError, match="divides by norms, and expert 2's weights are all 0"):
        merge(NanWeights(of_weights=True, scale=1.0), both, [0.5, 0.5])
