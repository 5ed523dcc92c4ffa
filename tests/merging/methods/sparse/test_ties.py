"""Trim, elect, merge."""

import pytest
import torch

from dfwe.merging.files.recipe_methods import recipe_method
from dfwe.merging.methods.sparse import Ties

PAPER = Ties(density=0.5, scale=1.0, trim="model", aggregate="mean")


def ties(**changes):
    return Ties(**{**vars(PAPER), **changes})


def test_ties_trim_election_and_mean_by_hand(array, merge):
    # task vectors (4, -1, 2, 0) and (-3, 3, 1, 0.5); the two largest of each stay: (4, 0, 2, 0), (-3, 3, 0, 0)
    parent = torch.ones(4)
    experts = [{"w": parent + torch.tensor([4.0, -1, 2, 0])}, {"w": parent + torch.tensor([-3.0, 3, 1, 0.5])}]
    both = array(experts, parent={"w": parent})
    # signs: 4 - 3 > 0, so only the first expert counts there
    assert merge(PAPER, both, [0.5, 0.5])["w"].tolist() == [5.0, 4.0, 3.0, 1.0]
    assert merge(PAPER, both, [0.5, 0.5], scale=0.5)["w"].tolist() == [3.0, 2.5, 2.0, 1.0]


@pytest.mark.parametrize(("aggregate", "merged"), [("mean", [3.0, 4.0]), ("sum", [6.0, 4.0]), ("max", [4.0, 4.0])])
def test_ties_aggregates_by_hand(array, merge, aggregate, merged):
    experts = [{"w": torch.tensor(values)} for values in ([4.0, -1.0], [2.0, 4.0])]
    both = array(experts, parent={"w": torch.zeros(2)})
    assert merge(ties(density=1.0, aggregate=aggregate), both, [0.5, 0.5])["w"].tolist() == merged


def test_ties_trims_whole_vector_or_each_tensor(array, merge):
    expert = {"v": torch.tensor([5.0, -4.0]), "w": torch.tensor([1.0, 2.0])}
    one = array([expert], parent={"v": torch.zeros(2), "w": torch.zeros(2)})
    whole, each = merge(PAPER, one, [1.0]), merge(ties(trim="tensor"), one, [1.0])
    assert (whole["v"].tolist(), whole["w"].tolist()) == ([5.0, -4.0], [0.0, 0.0])
    assert (each["v"].tolist(), each["w"].tolist()) == ([5.0, 0.0], [0.0, 2.0])


def test_ties_ties_of_size_follow_the_tools(array, merge, monkeypatch):
    monkeypatch.setattr("dfwe.merging.engine.BLOCK", 3)  # ties are counted across blocks
    one = array([{"w": torch.ones(8)}], parent={"w": torch.zeros(8)})
    assert merge(PAPER, one, [1.0])["w"].tolist() == [1.0] * 8
    assert merge(ties(trim="tensor"), one, [1.0])["w"].tolist() == [0.0] * 4 + [1.0] * 4


def test_ties_coefficients_weigh_election(array, merge):
    experts = array([{"w": torch.tensor([4.0])}, {"w": torch.tensor([-3.0])}], parent={"w": torch.zeros(1)})
    assert merge(ties(density=1.0), experts, [0.2, 0.8])["w"].tolist() == [-3.0]


def test_ties_untrimmed_vertex_is_its_expert(array, merge):
    rows = torch.randn(3, 50, generator=torch.Generator().manual_seed(0))
    parent = {"w": torch.zeros(50)}
    experts, turned = array([{"w": row} for row in rows], parent), array([{"w": row} for row in rows.flip(0)], parent)
    assert ties(density=1.0).properties.recovers_experts
    assert torch.equal(merge(ties(density=1.0), experts, [0, 1, 0])["w"], rows[1])
    found = [merge(PAPER, experts, [0.5, 0.3, 0.2])["w"], merge(PAPER, turned, [0.2, 0.3, 0.5])["w"]]
    torch.testing.assert_close(*found)


def test_ties_of_parents_is_the_parent(array, merge):
    same = {"w": torch.randn(20, generator=torch.Generator().manual_seed(0))}
    for method in (PAPER, ties(trim="tensor", aggregate="sum")):
        assert torch.equal(merge(method, array([same, same], parent=same), [0.5, 0.5])["w"], same["w"])


@pytest.mark.parametrize("aggregate", ["mean", "sum", "max"])
def test_ties_global_trim_matches_reference(reference, merge, aggregate):
    experts, expected = reference("abc", merged=f"ties_global_top40_{aggregate}_scale0.5")
    found = merge(ties(density=0.4, scale=0.5, aggregate=aggregate), experts, [1 / 3, 1 / 3, 1 / 3])
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("suffix", "normalize"), [("", True), ("_unnormalized", False)])
def test_ties_tensor_trim_matches_reference(reference, merge, suffix, normalize):
    experts, expected = reference("abc", merged=f"ties_per_tensor_density0.4{suffix}")
    found = merge(*_recipe((0.5, 0.3, 0.2), {"density": 0.4, "normalize": normalize}, experts))
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-5, rtol=0)


def _recipe(weights, parameters, experts):
    method, coefficients = recipe_method("ties", where="").build(weights, parameters)
    return method, experts, coefficients
