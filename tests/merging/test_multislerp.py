"""Directions and lengths averaged apart."""

import pytest
import torch

from dfwe.errors import MergeError
from dfwe.merging.multislerp import Multislerp

RULE = Multislerp(eps=1e-8, about_parent=False)
ABOUT = Multislerp(eps=1e-8, about_parent=True)


def random(array, num=3, parent=None):
    rows = torch.randn(num, 4, 6, generator=torch.Generator().manual_seed(1))
    return array([{"v": row[:2], "w": row[2:]} for row in rows], parent=parent)


def test_direction_and_length_by_hand(array, merge):
    # directions (1, 0), (0, 1), halved and normalised: 45 degrees; lengths 1 and 3 give 2
    two = array([{"w": torch.tensor([1.0, 0.0])}, {"w": torch.tensor([0.0, 3.0])}])
    torch.testing.assert_close(merge(RULE, two, [0.5, 0.5])["w"], torch.full((2,), 2.0**0.5))


def test_about_the_parent_it_is_the_same_of_task_vectors(array, merge):
    parent = torch.tensor([5.0, -5.0])
    experts = [{"w": parent + torch.tensor([1.0, 0.0])}, {"w": parent + torch.tensor([0.0, 3.0])}]
    merged = merge(ABOUT, array(experts, parent={"w": parent}), [0.5, 0.5])["w"]
    torch.testing.assert_close(merged, parent + 2.0**0.5)


@pytest.mark.parametrize("vertex", [0, 1, 2])
def test_a_vertex_is_its_expert(array, merge, vertex):
    three = random(array)
    merged = merge(RULE, three, torch.eye(3)[vertex].tolist())
    for name, tensor in three.layout.views(three.weights[vertex]).items():
        torch.testing.assert_close(merged[name], tensor)


def test_experts_of_one_length_keep_it(array, merge):
    rows = torch.nn.functional.normalize(torch.randn(4, 50, generator=torch.Generator().manual_seed(2)), dim=1)
    merged = merge(RULE, array([{"w": 3.0 * row} for row in rows]), [0.1, 0.2, 0.3, 0.4])["w"]
    torch.testing.assert_close(merged.norm(), torch.tensor(3.0))


def test_the_experts_order_does_not_matter(array, merge):
    rows = torch.randn(3, 20, generator=torch.Generator().manual_seed(3))
    first = merge(RULE, array([{"w": row} for row in rows]), [0.5, 0.3, 0.2])["w"]
    other = merge(RULE, array([{"w": rows[place]} for place in (2, 0, 1)]), [0.2, 0.5, 0.3])["w"]
    torch.testing.assert_close(first, other)


def test_two_opposite_experts_are_mixed_linearly_and_zero_ones_stay(array, merge):
    two = array(
        [{"w": torch.tensor([2.0, 0.0]), "z": torch.zeros(3)}, {"w": torch.tensor([-1.0, 0.0]), "z": torch.zeros(3)}]
    )
    assert merge(RULE, two, [0.5, 0.5])["w"].tolist() == [0.5, 0.0]
    assert merge(RULE, two, [0.5, 0.5])["z"].tolist() == [0.0, 0.0, 0.0]


def test_experts_that_are_their_parent_stay_it(array, merge):
    same = {"w": torch.tensor([0.5, -2.0])}
    assert torch.equal(merge(ABOUT, array([same] * 3, parent=same), [0.2, 0.3, 0.5])["w"], same["w"])


def test_directions_that_cancel_are_an_error_that_names_the_tensor(array, merge):
    three = array([{"w": torch.tensor([value])} for value in (1.0, -1.0, 2.0)])
    with pytest.raises(
        MergeError, match=r"in 'w' the experts' directions cancel with the coefficients 0.25, 0.5, 0.25"
    ):
        merge(RULE, three, [0.25, 0.5, 0.25])


def test_wrong_settings_and_a_lacking_parent_are_errors(array, merge):
    with pytest.raises(MergeError, match="multislerp: eps must be greater than 0, not 0"):
        merge(Multislerp(eps=0.0, about_parent=False), random(array), [0.5, 0.3, 0.2])
    with pytest.raises(MergeError, match="multislerp needs the experts' common parent"):
        merge(ABOUT, random(array), [0.5, 0.3, 0.2])


def test_a_recipe_needs_weights_and_may_have_a_base():
    assert Multislerp.merges(["a", "base", "b"], base="base") == ("a", "b")
    assert Multislerp.merges(["a", "b"], base=None) == ("a", "b")
    rule, coefficients = Multislerp.from_recipe([1.0, 3.0], {})
    assert (rule, coefficients) == (Multislerp(eps=1e-8, about_parent=None), (0.25, 0.75))
    assert Multislerp.from_recipe([1.0, 3.0], {"normalize_weights": False})[1] == (1.0, 3.0)
    with pytest.raises(MergeError, match="every model needs a `weight`"):
        Multislerp.from_recipe([1.0, None], {})


def test_without_a_word_on_the_origin_it_is_the_parent_where_there_is_one(array, merge):
    zero = {"v": torch.ones(2, 6), "w": torch.ones(2, 6)}
    free = Multislerp(eps=1e-8, about_parent=None)
    for rule, experts in ((RULE, random(array)), (ABOUT, random(array, parent=zero))):
        assert torch.equal(merge(free, experts, [0.5, 0.3, 0.2])["w"], merge(rule, experts, [0.5, 0.3, 0.2])["w"])


def test_the_reference_merge_is_met(reference, merge):
    experts, expected = reference("abc", merged="multislerp")
    found = merge(RULE, experts, [0.5, 0.3, 0.2])
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-5, rtol=0)
