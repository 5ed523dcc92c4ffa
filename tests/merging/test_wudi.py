"""The task vector that disturbs least."""

import pytest
import torch

from dfwe.errors import MergeError
from dfwe.merging.wudi import EMBEDDINGS, Wudi

RULE = Wudi(steps=300, learning_rate=1e-2, averaged=None)


def stepping(steps):
    return Wudi(steps=steps, learning_rate=1e-2, averaged=None)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def loss(merged, vectors, weights):
    """The paper's, as it is written."""
    terms = [w * ((merged - t) @ t.T).square().sum() / t.square().sum() for t, w in zip(vectors, weights, strict=True)]
    return torch.stack(terms).sum()


def test_experts_with_inputs_of_their_own_do_not_disturb_each_other(array, merge):
    # the first expert changed what the first input does, the second the second: the sum keeps both as they are
    parent, first, second = torch.ones(2, 2), torch.tensor([[2.0, 0], [1, 0]]), torch.tensor([[0.0, 3], [0, -1]])
    both = array([{"w": parent + first}, {"w": parent + second}], parent={"w": parent})
    torch.testing.assert_close(merge(RULE, both, [0.5, 0.5])["w"], parent + first + second)


def test_one_step_of_adam_by_hand(array, merge):
    # task vectors 1 and 3: t starts at 4, the gradient 2 (t - 1) + 2 (t - 3) is positive; Adam's first step is the rate
    both = array([{"w": torch.tensor([[1.0]])}, {"w": torch.tensor([[3.0]])}], parent={"w": torch.zeros(1, 1)})
    assert merge(stepping(1), both, [0.5, 0.5])["w"].item() == pytest.approx(3.99)


def test_it_takes_the_steps_of_the_papers_loss(array, merge):
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


def test_many_steps_reach_the_minimum(array, merge):
    vectors = [random(5, 4, seed=seed) for seed in range(3)]
    squares = [(t.T @ t / t.square().sum(), t) for t in vectors]
    best = sum(t @ square for square, t in squares) @ torch.linalg.inv(sum(square for square, _ in squares))
    experts = array([{"w": vector} for vector in vectors], parent={"w": torch.zeros(5, 4)})
    found = merge(stepping(3000), experts, [1 / 3] * 3)["w"]
    torch.testing.assert_close(found, best, atol=1e-3, rtol=0)


def test_vectors_and_embeddings_are_averaged(array, merge):
    parent = {"v": torch.zeros(3), "shared.weight": torch.zeros(3, 3)}
    tensors = [{name: random(*tensor.shape, seed=seed) for name, tensor in parent.items()} for seed in (1, 2)]
    found = merge(Wudi(steps=10, learning_rate=1e-2, averaged=EMBEDDINGS), array(tensors, parent), [0.4, 0.6])
    for name in parent:
        torch.testing.assert_close(found[name], 0.4 * tensors[0][name] + 0.6 * tensors[1][name])


def test_experts_that_are_the_parent_give_the_parent(array, merge):
    parent = {"w": random(4, 5)}
    assert torch.equal(merge(RULE, array([parent, parent], parent), [0.5, 0.5])["w"], parent["w"])


def test_wrong_settings_are_told(array, merge):
    with pytest.raises(MergeError, match="wudi: steps must be at least 0, not -1"):
        Wudi(steps=-1, learning_rate=1e-5, averaged=None).check(2)
    with pytest.raises(MergeError, match="wudi: learning_rate must be above 0, not 0"):
        Wudi(steps=1, learning_rate=0.0, averaged=None).check(2)
    with pytest.raises(MergeError, match="wudi: averaged must be a regular expression of names"):
        Wudi(steps=1, learning_rate=1e-5, averaged="(").check(2)
    both = array([{"w": torch.ones(2, 2)}] * 2, parent={"w": torch.zeros(2, 2)})
    with pytest.raises(MergeError, match="wudi needs coefficients that are at least 0 and add up to 1"):
        merge(RULE, both, [1.5, -0.5])
    with pytest.raises(MergeError, match="wudi needs the experts' common parent"):
        merge(RULE, array([{"w": torch.ones(2, 2)}]), [1.0])
    with pytest.raises(MergeError, match="wudi has no parameter 'rate'"):
        Wudi.from_recipe([None], {"rate": 0.5})


def test_a_recipe_has_the_papers_settings():
    rule, coefficients = Wudi.from_recipe([None, None], {"steps": 10})
    assert (rule, coefficients) == (Wudi(10, 1e-5, EMBEDDINGS), (0.5, 0.5))
    assert Wudi.merges(["base", "a"], base="base") == ("a",)
