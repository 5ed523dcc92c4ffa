"""The task vector that disturbs least."""

import pytest
import torch

from dfwe.merging.methods.spectral import Wudi

METHOD = Wudi(steps=300, learning_rate=1e-2, averaged=None)


def stepping(steps):
    return Wudi(steps=steps, learning_rate=1e-2, averaged=None)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def loss(merged, vectors, weights):
    """The paper's, as it is written."""
    terms = [w * ((merged - t) @ t.T).square().sum() / t.square().sum() for t, w in zip(vectors, weights, strict=True)]
    return torch.stack(terms).sum()


def test_wudi_separate_inputs_do_not_interfere(array, merge):
    # the first expert changed what the first input does, the second the second: the sum keeps both as they are
    parent, first, second = torch.ones(2, 2), torch.tensor([[2.0, 0], [1, 0]]), torch.tensor([[0.0, 3], [0, -1]])
    both = array([{"w": parent + first}, {"w": parent + second}], parent={"w": parent})
    torch.testing.assert_close(merge(METHOD, both, [0.5, 0.5])["w"], parent + first + second)


def test_wudi_one_step_by_hand(array, merge):
    # task vectors 1 and 3: t starts at 4, the gradient 2 (t - 1) + 2 (t - 3) is positive; Adam's first step is the rate
    both = array([{"w": torch.tensor([[1.0]])}, {"w": torch.tensor([[3.0]])}], parent={"w": torch.zeros(1, 1)})
    assert merge(stepping(1), both, [0.5, 0.5])["w"].item() == pytest.approx(3.99)


def test_wudi_steps_follow_the_papers_loss(array, merge):
    vectors, weights = [random(5, 4, seed=seed) for seed in range(3)], [0.6, 0.9, 1.5]
    expected = sum(t * w for t, w in zip(vectors, weights, strict=True)).requires_grad_()
    optimizer = torch.optim.Adam([expected], lr=1e-2)
    for _ in range(20):
        optimizer.zero_grad()
        loss(expected, vectors, weights).backward()
        optimizer.step()
    experts = array([{"w": vector} for vector in vectors], parent={"w": torch.zeros(5, 4)})
    found = merge(stepping(20), experts, [0.2, 0.3, 0.5])["w"]
    torch.testing.assert_close(found, expected.detach(), atol=1e-4, rtol=0)


def test_wudi_many_steps_reach_minimum(array, merge):
    vectors = [random(5, 4, seed=seed) for seed in range(3)]
    squares = [(t.T @ t / t.square().sum(), t) for t in vectors]
    best = sum(t @ square for square, t in squares) @ torch.linalg.inv(sum(square for square, _ in squares))
    experts = array([{"w": vector} for vector in vectors], parent={"w": torch.zeros(5, 4)})
    found = merge(stepping(3000), experts, [1 / 3] * 3)["w"]
    torch.testing.assert_close(found, best, atol=1e-3, rtol=0)


def test_wudi_averages_vectors_and_embeddings(array, merge):
    parent = {"v": torch.zeros(3), "shared.weight": torch.zeros(3, 3)}
    tensors = [{name: random(*tensor.shape, seed=seed) for name, tensor in parent.items()} for seed in (1, 2)]
    found = merge(Wudi(steps=10, learning_rate=1e-2, averaged="shared|embed"), array(tensors, parent), [0.4, 0.6])
    for name in parent:
        torch.testing.assert_close(found[name], 0.4 * tensors[0][name] + 0.6 * tensors[1][name])
