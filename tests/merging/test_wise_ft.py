"""Between the parent and the mixture."""

import pytest
import torch

from dfwe.errors import MergeError
from dfwe.merging.linear import Linear
from dfwe.merging.wise_ft import WiseFt


@pytest.fixture
def two(array):
    experts = [{"w": torch.tensor([4.0, 0.0])}, {"w": torch.tensor([0.0, 8.0])}]
    return array(experts, parent={"w": torch.tensor([1.0, 1.0])})


def test_a_quarter_of_the_way_by_hand(two, merge):
    # the mixture is (2, 4)
    assert merge(WiseFt(share=0.25), two, [0.5, 0.5])["w"].tolist() == [1.25, 1.75]
    assert merge(WiseFt(share=0.25), two, [0.5, 0.5], share=0.5)["w"].tolist() == [1.5, 2.5]


def test_its_ends_are_the_parent_and_the_mixture(two, merge):
    assert torch.equal(merge(WiseFt(share=0.0), two, [0.25, 0.75])["w"], two.parent)
    assert torch.equal(merge(WiseFt(share=1.0), two, [0.25, 0.75])["w"], merge(Linear(), two, [0.25, 0.75])["w"])


def test_a_vertex_goes_to_one_expert_and_says_so_where_it_arrives(two, merge):
    assert merge(WiseFt(share=0.5), two, [0.0, 1.0])["w"].tolist() == [0.5, 4.5]
    assert not WiseFt(share=0.5).traits.vertices
    assert WiseFt(share=1.0).traits.vertices
    assert torch.equal(merge(WiseFt(share=1.0), two, [0.0, 1.0])["w"], two.weights[1])


def test_experts_that_are_their_parent_stay_it(array, merge):
    same = {"w": torch.tensor([0.5, -2.0])}
    assert torch.equal(merge(WiseFt(share=0.75), array([same, same], parent=same), [0.25, 0.75])["w"], same["w"])


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_a_share_outside_its_range_is_an_error(two, merge, share):
    with pytest.raises(MergeError, match=rf"wise_ft: share must be in \[0, 1\], not {share}"):
        merge(WiseFt(share=share), two, [0.5, 0.5])


def test_it_needs_the_parent_and_the_simplex(array, two, merge):
    with pytest.raises(MergeError, match="wise_ft needs the experts' common parent"):
        merge(WiseFt(share=0.5), array([{"w": torch.ones(1)}]), [1.0])
    with pytest.raises(MergeError, match="at least 0 and add up to 1, not 0.5, 0.6"):
        merge(WiseFt(share=0.5), two, [0.5, 0.6])


def test_a_recipe_without_weights_counts_experts_alike():
    assert WiseFt.merges(["a", "base", "b"], base="base") == ("a", "b")
    assert WiseFt.from_recipe([None, None], {}) == (WiseFt(share=0.5), (0.5, 0.5))
    assert WiseFt.from_recipe([1.0, 3.0], {"share": 0.2}) == (WiseFt(share=0.2), (0.25, 0.75))
    with pytest.raises(MergeError, match="common parent"):
        WiseFt.merges(["a", "b"], base=None)
