"""Between the parent and the mixture."""

import pytest
import torch

from dfwe.errors import MergeError
from dfwe.merging.methods.linear import Linear, WiseFt


@pytest.fixture
def two(array):
    experts = [{"w": torch.tensor([4.0, 0.0])}, {"w": torch.tensor([0.0, 8.0])}]
    return array(experts, parent={"w": torch.tensor([1.0, 1.0])})


def test_wise_ft_quarter_share_by_hand(two, merge):
    # the mixture is (2, 4)
    assert merge(WiseFt(share=0.25), two, [0.5, 0.5])["w"].tolist() == [1.25, 1.75]
    assert merge(WiseFt(share=0.25), two, [0.5, 0.5], share=0.5)["w"].tolist() == [1.5, 2.5]


def test_wise_ft_extreme_shares_are_parent_and_mixture(two, merge):
    assert torch.equal(merge(WiseFt(share=0.0), two, [0.25, 0.75])["w"], two.parent)
    assert torch.equal(merge(WiseFt(share=1.0), two, [0.25, 0.75])["w"], merge(Linear(), two, [0.25, 0.75])["w"])


def test_wise_ft_recovers_experts_with_full_share(two, merge):
    assert merge(WiseFt(share=0.5), two, [0.0, 1.0])["w"].tolist() == [0.5, 4.5]
    assert not WiseFt(share=0.5).properties.recovers_experts
    assert WiseFt(share=1.0).properties.recovers_experts
    assert torch.equal(merge(WiseFt(share=1.0), two, [0.0, 1.0])["w"], two.weights[1])


def test_wise_ft_of_parents_is_the_parent(array, merge):
    same = {"w": torch.tensor([0.5, -2.0])}
    assert torch.equal(merge(WiseFt(share=0.75), array([same, same], parent=same), [0.25, 0.75])["w"], same["w"])


def test_wise_ft_off_the_simplex_is_an_error(array, two, merge):
    with pytest.raises(MergeError, match="wise_ft needs the experts' common parent"):
        merge(WiseFt(share=0.5), array([{"w": torch.ones(1)}]), [1.0])
    with pytest.raises(MergeError, match="at least 0 and add up to 1, not 0.5, 0.6"):
        merge(WiseFt(share=0.5), two, [0.5, 0.6])
