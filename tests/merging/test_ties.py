"""Trim, elect, merge."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from dfwe.errors import MergeError
from dfwe.merging.experts import ExpertArray, Layout
from dfwe.merging.ties import Ties

ORACLE = Path(__file__).parents[2] / ".." / "shared" / "oracle" / "merges"


def array(weights, parent):
    return ExpertArray(tuple("abc"[: len(weights)]), Layout(("w",), (weights[0].shape,)), torch.stack(weights), parent)


def merge(rule, experts, coefficients):
    out = torch.empty(experts.layout.size)
    rule.prepare(experts)(torch.tensor(coefficients), out)
    return out


def test_trim_election_and_disjoint_mean_by_hand():
    # task vectors (4, -1, 2, 0) and (-3, 3, 1, 0.5); the two largest of each stay: (4, 0, 2, 0), (-3, 3, 0, 0)
    parent = torch.tensor([1.0, 1.0, 1.0, 1.0])
    experts = array([parent + torch.tensor([4.0, -1, 2, 0]), parent + torch.tensor([-3.0, 3, 1, 0.5])], parent)
    # signs: 4 - 3 > 0, so only the first expert counts there
    assert merge(Ties(density=0.5, scale=1.0), experts, [0.5, 0.5]).tolist() == [5.0, 4.0, 3.0, 1.0]
    assert merge(Ties(density=0.5, scale=0.5), experts, [0.5, 0.5]).tolist() == [3.0, 2.5, 2.0, 1.0]


def test_coefficients_weigh_the_election():
    parent = torch.zeros(1)
    experts = array([torch.tensor([4.0]), torch.tensor([-3.0])], parent)
    assert merge(Ties(density=1.0, scale=1.0), experts, [0.2, 0.8]).tolist() == [-3.0]


def test_it_needs_the_parent_and_a_share():
    experts = array([torch.ones(2)], None)
    with pytest.raises(MergeError, match="needs the experts' common parent"):
        Ties(density=0.5, scale=1.0).prepare(experts)
    with pytest.raises(MergeError, match=r"density must be in \(0, 1\], not 0"):
        Ties(density=0.0, scale=1.0).prepare(array([torch.ones(2)], torch.zeros(2)))


@pytest.mark.skipif(not ORACLE.exists(), reason="the reference merges are not beside the checkout (../shared/oracle)")
def test_equal_coefficients_give_the_reference_merge():
    files = {name: load_file(ORACLE / "experts" / name / "model.safetensors") for name in ("base", "a", "b", "c")}
    expected = load_file(ORACLE / "merged" / "ties_global_top40_mean_scale0.5.safetensors")
    names = [name for name in files["base"] if name in expected]
    flat = {key: torch.cat([tensors[name].flatten() for name in names]) for key, tensors in files.items()}
    experts = array([flat["a"], flat["b"], flat["c"]], flat["base"])
    found = merge(Ties(density=0.4, scale=0.5), experts, [1 / 3, 1 / 3, 1 / 3])
    assert torch.allclose(found, torch.cat([expected[name].flatten() for name in names]), atol=1e-5)
