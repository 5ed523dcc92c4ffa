"""Isotropic merging in the common subspace."""

import torch

from dfwe.merging.methods.spectral import IsoC

METHOD = IsoC(scale=1.0, averaged=None)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_iso_c_by_hand(array, merge):
    parent = torch.ones(2, 2)
    first, second = torch.diag(torch.tensor([3.0, 1.0])), torch.diag(torch.tensor([1.0, -3.0]))
    both = array([{"w": parent + first}, {"w": parent + second}], parent={"w": parent})
    # the sum is diag(4, -2), the mean of its singular values 3
    torch.testing.assert_close(merge(METHOD, both, [0.5, 0.5])["w"], parent + torch.diag(torch.tensor([3.0, -3.0])))
    # with 1/4 and 3/4 the sum is diag(3, -4)
    found = merge(METHOD, both, [0.25, 0.75], scale=2.0)["w"]
    torch.testing.assert_close(found, parent + torch.diag(torch.tensor([7.0, -7.0])))


def test_iso_c_matches_reference(reference, merge):
    experts, expected = reference("abc", merged="iso_c_scale1.0")
    found = merge(METHOD, experts, [1 / 3, 1 / 3, 1 / 3])
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-5, rtol=0)


def test_iso_c_unchanged_rows_stay(array, merge):
    parent = {"w": random(6, 4)}
    tensors = [{"w": parent["w"] + torch.cat([random(2, 4, seed=seed), torch.zeros(4, 4)])} for seed in (1, 2)]
    found = merge(METHOD, array(tensors, parent), [0.5, 0.5])["w"]
    assert torch.equal(found[2:], parent["w"][2:])
    assert not torch.allclose(found[:2], parent["w"][:2])


def test_iso_c_averages_vectors_and_named_matrices(array, merge):
    parent = {"v": torch.zeros(3), "w": torch.zeros(3, 3)}
    tensors = [{name: random(*tensor.shape, seed=seed) for name, tensor in parent.items()} for seed in (1, 2)]
    found = merge(IsoC(scale=0.5, averaged="w"), array(tensors, parent), [0.4, 0.6])
    for name in parent:
        torch.testing.assert_close(found[name], 0.2 * tensors[0][name] + 0.3 * tensors[1][name])
