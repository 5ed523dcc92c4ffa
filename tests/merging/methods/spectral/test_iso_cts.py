"""Isotropic merging in common and task-specific subspaces."""

import pytest
import torch

from dfwe.merging.methods.spectral import IsoC, IsoCts, divide_by_weights

METHOD = IsoCts(scale=1.0, common=0.5, averaged=None)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def diagonal(*values):
    return torch.diag(torch.tensor(values))


def test_iso_cts_common_and_specific_directions_by_hand(array, merge):
    # the sum is diag(10, 8, 3, 2): two common directions; what is left, diag(2, 0) and diag(1, 2), gives one each
    tensors = [{"w": diagonal(5.0, 4, 2, 0)}, {"w": diagonal(5.0, 4, 1, 2)}]
    found = merge(METHOD, array(tensors, parent={"w": torch.zeros(4, 4)}), [0.5, 0.5])["w"]
    torch.testing.assert_close(found, (10 + 8 + 2 + 2) / 4 * torch.eye(4))


def test_iso_cts_matches_reference(reference, merge):
    experts, expected = reference("abc", merged="iso_cts_common0.5_scale1.0")
    found = merge(METHOD, experts, [1 / 3, 1 / 3, 1 / 3])
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-4, rtol=0)


@pytest.mark.parametrize("coefficients", [[0.5, 0.5], [0.2, 0.8], [1.0, 0.0]])
def test_iso_cts_all_common_is_iso_c(array, merge, coefficients):
    both = array([{"w": random(7, 4, seed=seed)} for seed in (1, 2)], parent={"w": random(7, 4)})
    expected = merge(IsoC(scale=1.3, averaged=None), both, coefficients)["w"]
    torch.testing.assert_close(merge(IsoCts(1.3, 1.0, None), both, coefficients)["w"], expected)


def test_iso_cts_ignores_experts_without_weight(array, merge):
    parent, expert = {"w": random(6, 6)}, {"w": random(6, 6, seed=1)}
    first, second = (array([expert, {"w": other}], parent) for other in (random(6, 6, seed=2), torch.zeros(6, 6)))
    assert torch.equal(merge(METHOD, first, [1.0, 0.0])["w"], merge(METHOD, second, [1.0, 0.0])["w"])


def test_iso_cts_divide_by_weights_has_largest_remainders():
    assert divide_by_weights(9, weights=[1 / 3, 1 / 3, 1 / 3]) == [3, 3, 3]
    assert divide_by_weights(10, weights=[0.27, 0.0, 0.73]) == [3, 0, 7]
    assert divide_by_weights(3, weights=[0.5, 0.5]) == [2, 1]
    assert divide_by_weights(0, weights=[0.5, 0.5]) == [0, 0]


def test_iso_cts_of_parents_is_the_parent(array, merge):
    parent = {"w": random(4, 5), "v": random(3)}
    found = merge(METHOD, array([parent, parent], parent), [0.5, 0.5])
    assert torch.equal(found["w"], parent["w"])
    assert torch.equal(found["v"], parent["v"])
