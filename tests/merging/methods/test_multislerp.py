"""Directions and lengths averaged apart."""

import pytest
import torch

from dfwe.errors import MergeError
from dfwe.merging.methods.spherical import Multislerp

METHOD = Multislerp(eps=1e-8, about_parent=False)
ABOUT = Multislerp(eps=1e-8, about_parent=True)


def random(array, num=3, parent=None):
    rows = torch.randn(num, 4, 6, generator=torch.Generator().manual_seed(1))
    return array([{"v": row[:2], "w": row[2:]} for row in rows], parent=parent)


def test_multislerp_direction_and_length_by_hand(array, merge):
    # directions (1, 0), (0, 1), halved and normalised: 45 degrees; lengths 1 and 3 give 2
    two = array([{"w": torch.tensor([1.0, 0.0])}, {"w": torch.tensor([0.0, 3.0])}])
    torch.testing.assert_close(merge(METHOD, two, [0.5, 0.5])["w"], torch.full((2,), 2.0**0.5))


def test_multislerp_about_parent_merges_task_vectors(array, merge):
    parent = torch.tensor([5.0, -5.0])
    experts = [{"w": parent + torch.tensor([1.0, 0.0])}, {"w": parent + torch.tensor([0.0, 3.0])}]
    merged = merge(ABOUT, array(experts, parent={"w": parent}), [0.5, 0.5])["w"]
    torch.testing.assert_close(merged, parent + 2.0**0.5)


@pytest.mark.parametrize("vertex", [0, 1, 2])
def test_multislerp_vertex_is_its_expert(array, merge, vertex):
    three = random(array)
    merged = merge(METHOD, three, torch.eye(3)[vertex].tolist())
    for name, tensor in three.layout.views(three.weights[vertex]).items():
        torch.testing.assert_close(merged[name], tensor)


def test_multislerp_of_equal_lengths_keeps_length(array, merge):
    rows = torch.nn.functional.normalize(torch.randn(4, 50, generator=torch.Generator().manual_seed(2)), dim=1)
    merged = merge(METHOD, array([{"w": 3.0 * row} for row in rows]), [0.1, 0.2, 0.3, 0.4])["w"]
    torch.testing.assert_close(merged.norm(), torch.tensor(3.0))


def test_multislerp_permuted_experts_give_same(array, merge):
    rows = torch.randn(3, 20, generator=torch.Generator().manual_seed(3))
    first = merge(METHOD, array([{"w": row} for row in rows]), [0.5, 0.3, 0.2])["w"]
    other = merge(METHOD, array([{"w": rows[place]} for place in (2, 0, 1)]), [0.2, 0.5, 0.3])["w"]
    torch.testing.assert_close(first, other)


def test_multislerp_of_opposite_experts_is_linear(array, merge):
    two = array(
        [{"w": torch.tensor([2.0, 0.0]), "z": torch.zeros(3)}, {"w": torch.tensor([-1.0, 0.0]), "z": torch.zeros(3)}]
    )
    assert merge(METHOD, two, [0.5, 0.5])["w"].tolist() == [0.5, 0.0]
    assert merge(METHOD, two, [0.5, 0.5])["z"].tolist() == [0.0, 0.0, 0.0]


def test_multislerp_of_parents_is_the_parent(array, merge):
    same = {"w": torch.tensor([0.5, -2.0])}
    assert torch.equal(merge(ABOUT, array([same] * 3, parent=same), [0.2, 0.3, 0.5])["w"], same["w"])


def test_multislerp_cancelling_directions_are_an_error(array, merge):
    three = array([{"w": torch.tensor([value])} for value in (1.0, -1.0, 2.0)])
    with pytest.raises(
        MergeError, match=r"in 'w' the experts' directions cancel with the coefficients 0.25, 0.5, 0.25"
    ):
        merge(METHOD, three, [0.25, 0.5, 0.25])


def test_multislerp_origin_defaults_to_an_existing_parent(array, merge):
    zero = {"v": torch.ones(2, 6), "w": torch.ones(2, 6)}
    free = Multislerp(eps=1e-8, about_parent=None)
    for method, experts in ((METHOD, random(array)), (ABOUT, random(array, parent=zero))):
        assert torch.equal(merge(free, experts, [0.5, 0.3, 0.2])["w"], merge(method, experts, [0.5, 0.3, 0.2])["w"])


def test_multislerp_matches_reference(reference, merge):
    experts, expected = reference("abc", merged="multislerp")
    found = merge(METHOD, experts, [0.5, 0.3, 0.2])
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-5, rtol=0)
