"""Trim, elect, merge."""

import pytest
import torch

from dfwe.errors import MergeError
from dfwe.merging.ties import Ties


def test_trim_election_and_disjoint_mean_by_hand(array, merge):
    # task vectors (4, -1, 2, 0) and (-3, 3, 1, 0.5); the two largest of each stay: (4, 0, 2, 0), (-3, 3, 0, 0)
    parent = torch.ones(4)
    experts = [{"w": parent + torch.tensor([4.0, -1, 2, 0])}, {"w": parent + torch.tensor([-3.0, 3, 1, 0.5])}]
    both = array(experts, parent={"w": parent})
    # signs: 4 - 3 > 0, so only the first expert counts there
    assert merge(Ties(density=0.5, scale=1.0, trim="model", aggregate="mean"), both, [0.5, 0.5])["w"].tolist() == [5.0, 4.0, 3.0, 1.0]
    assert merge(Ties(density=0.5, scale=1.0, trim="model", aggregate="mean"), both, [0.5, 0.5], scale=0.5)["w"].tolist() == [3.0, 2.5, 2.0, 1.0]


def test_coefficients_weigh_the_election(array, merge):
    experts = array([{"w": torch.tensor([4.0])}, {"w": torch.tensor([-3.0])}], parent={"w": torch.zeros(1)})
    assert merge(Ties(density=1.0, scale=1.0, trim="model", aggregate="mean"), experts, [0.2, 0.8])["w"].tolist() == [-3.0]


def test_it_needs_the_parent_and_a_share(array, merge):
    experts = [{"w": torch.ones(2)}]
    with pytest.raises(MergeError, match="needs the experts' common parent"):
        merge(Ties(density=0.5, scale=1.0, trim="model", aggregate="mean"), array(experts), [1.0])
    with pytest.raises(MergeError, match=r"density must be in \(0, 1\], not 0"):
        merge(Ties(density=0.0, scale=1.0, trim="model", aggregate="mean"), array(experts, parent={"w": torch.zeros(2)}), [1.0])


def test_equal_coefficients_give_the_reference_merge(reference, merge):
    experts, expected = reference("abc", merged="ties_global_top40_mean_scale0.5")
    found = merge(Ties(density=0.4, scale=0.5, trim="model", aggregate="mean"), experts, [1 / 3, 1 / 3, 1 / 3])
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-5, rtol=0)
