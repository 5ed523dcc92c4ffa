"""Task singular vectors, made orthogonal."""

import numpy as np
import torch

from dfwe.merging.engine import prepare_merge
from dfwe.merging.methods.spectral import TsvM

METHOD = TsvM(scale=1.0, averaged=None)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_tsv_m_first_directions_by_hand(array, merge):
    # two experts, two directions: one each, the larger; they are orthogonal already
    parent = torch.ones(2, 2)
    first, second = torch.diag(torch.tensor([3.0, 1.0])), torch.diag(torch.tensor([0.5, 2.0]))
    both = array([{"w": parent + first}, {"w": parent + second}], parent={"w": parent})
    torch.testing.assert_close(merge(METHOD, both, [0.5, 0.5])["w"], parent + torch.diag(torch.tensor([3.0, 2.0])))
    found = merge(METHOD, both, [0.25, 0.75], scale=0.5)["w"]
    torch.testing.assert_close(found, parent + torch.diag(torch.tensor([0.75, 1.5])))


def test_tsv_m_one_expert_is_itself(array, merge):
    expert = {"w": random(5, 3), "v": random(3, seed=1)}
    only = array([expert], parent={"w": random(5, 3, seed=2), "v": torch.zeros(3)})
    found = merge(METHOD, only, [1.0])
    for name, tensor in expert.items():
        torch.testing.assert_close(found[name], tensor)


def test_tsv_m_matches_reference(reference, merge):
    experts, expected = reference("abc", merged="tsv_m_scale1.0")
    found = merge(METHOD, experts, [1 / 3, 1 / 3, 1 / 3])
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-5, rtol=0)


def test_tsv_m_permuted_experts_give_same(array, merge):
    tensors, parent = [{"w": random(7, 6, seed=seed)} for seed in range(3)], {"w": random(7, 6, seed=3)}
    found = merge(METHOD, array(tensors, parent), [0.2, 0.3, 0.5])["w"]
    torch.testing.assert_close(merge(METHOD, array(tensors[::-1], parent), [0.5, 0.3, 0.2])["w"], found)


def test_tsv_m_prepares_directions_once(array, merge, monkeypatch):
    calls = []
    monkeypatch.setattr(TsvM, "prepare_tensor", lambda self, group, *, state: calls.append(group.info.name))
    both = array([{"w": random(4, 4)}, {"w": random(4, 4, seed=1)}], parent={"w": torch.zeros(4, 4)})
    write, out = prepare_merge(METHOD, both), torch.empty(16)
    for scale in (0.5, 1.0):
        write(np.array([[0.5, 0.5]]), {"scale": scale}, out)
    assert calls == ["w"]


def test_tsv_m_averages_vectors_and_named_matrices(array, merge):
    parent = {"v": torch.zeros(3), "w": torch.zeros(3, 3), "thin": torch.ones(4, 1)}
    tensors = [{name: random(*tensor.shape, seed=seed) for name, tensor in parent.items()} for seed in (1, 2)]
    found = merge(TsvM(scale=1.0, averaged="^w$"), array(tensors, parent), [0.4, 0.6])
    for name in ("v", "w"):
        torch.testing.assert_close(found[name], 0.4 * tensors[0][name] + 0.6 * tensors[1][name])
    assert torch.equal(found["thin"], parent["thin"])  # one direction for two experts
