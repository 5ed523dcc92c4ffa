"""Isotropic merging in common and task-specific subspaces."""

import pytest
import torch

from dfwe.errors import MergeError
from dfwe.merging.iso_c import IsoC
from dfwe.merging.iso_cts import IsoCts, shared_out

RULE = IsoCts(scale=1.0, common=0.5, averaged=None)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def diagonal(*values):
    return torch.diag(torch.tensor(values))


def test_common_and_own_directions_by_hand(array, merge):
    # the sum is diag(10, 8, 3, 2): two common directions; what is left, diag(2, 0) and diag(1, 2), gives one each
    tensors = [{"w": diagonal(5.0, 4, 2, 0)}, {"w": diagonal(5.0, 4, 1, 2)}]
    found = merge(RULE, array(tensors, parent={"w": torch.zeros(4, 4)}), [0.5, 0.5])["w"]
    torch.testing.assert_close(found, (10 + 8 + 2 + 2) / 4 * torch.eye(4))


def test_equal_coefficients_give_the_reference_merge(reference, merge):
    experts, expected = reference("abc", merged="iso_cts_common0.5_scale1.0")
    found = merge(RULE, experts, [1 / 3, 1 / 3, 1 / 3])
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-4, rtol=0)


@pytest.mark.parametrize("coefficients", [[0.5, 0.5], [0.2, 0.8], [1.0, 0.0]])
def test_with_all_directions_common_it_is_iso_c(array, merge, coefficients):
    both = array([{"w": random(7, 4, seed=seed)} for seed in (1, 2)], parent={"w": random(7, 4)})
    expected = merge(IsoC(scale=1.3, averaged=None), both, coefficients)["w"]
    torch.testing.assert_close(merge(IsoCts(1.3, 1.0, None), both, coefficients)["w"], expected)


def test_an_expert_without_weight_does_not_count(array, merge):
    parent, expert = {"w": random(6, 6)}, {"w": random(6, 6, seed=1)}
    first, second = (array([expert, {"w": other}], parent) for other in (random(6, 6, seed=2), torch.zeros(6, 6)))
    assert torch.equal(merge(RULE, first, [1.0, 0.0])["w"], merge(RULE, second, [1.0, 0.0])["w"])


def test_directions_are_shared_out_by_weight():
    assert shared_out(9, weights=[1 / 3, 1 / 3, 1 / 3]) == [3, 3, 3]
    assert shared_out(10, weights=[0.27, 0.0, 0.73]) == [3, 0, 7]
    assert shared_out(3, weights=[0.5, 0.5]) == [2, 1]
    assert shared_out(0, weights=[0.5, 0.5]) == [0, 0]


def test_experts_that_are_the_parent_give_the_parent(array, merge):
    parent = {"w": random(4, 5), "v": random(3)}
    found = merge(RULE, array([parent, parent], parent), [0.5, 0.5])
    assert torch.equal(found["w"], parent["w"])
    assert torch.equal(found["v"], parent["v"])


def test_wrong_settings_are_told(array, merge):
    with pytest.raises(MergeError, match=r"iso_cts: common must be in \[0, 1\], not 1.5"):
        IsoCts(scale=1.0, common=1.5, averaged=None).check(2)
    with pytest.raises(MergeError, match="iso_cts: averaged must be a regular expression of names"):
        IsoCts(scale=1.0, common=0.5, averaged="(").check(2)
    both = array([{"w": torch.ones(2, 2)}] * 2, parent={"w": torch.zeros(2, 2)})
    with pytest.raises(MergeError, match="iso_cts needs coefficients that are at least 0 and add up to 1"):
        merge(RULE, both, [1.5, -0.5])
    with pytest.raises(MergeError, match="iso_cts needs the experts' common parent"):
        merge(RULE, array([{"w": torch.ones(2, 2)}]), [1.0])
    with pytest.raises(MergeError, match="iso_cts has no parameter 'k'"):
        IsoCts.from_recipe([None], {"k": 0.5})
    assert IsoCts.from_recipe([None, None], {"common": 0.5}) == (RULE, (0.5, 0.5))
    assert IsoCts.merges(["base", "a"], base="base") == ("a",)
