"""Large entries are dropped less often than small ones."""

import pytest
import torch

from dfwe.merging.files.recipe_methods import recipe_method
from dfwe.merging.methods.linear import TaskArithmetic
from dfwe.merging.methods.sparse import Dare, Della


def elected(**changes):
    settings = {"density": 0.5, "epsilon": 0.3, "rescale": "probability", "scale": 1.0, "aggregate": "mean", "seed": 0}
    return Della(**settings | changes)


def linear(**changes):
    return elected(aggregate="linear", **changes)


def one(array, tensor):
    return array([{"w": tensor}], parent={"w": torch.zeros(tensor.shape)})


def test_della_probabilities_follow_ranks_in_rows(array, merge):
    rows = torch.tensor([1.0, -3.0, 2.0]).repeat(5000, 1) * torch.arange(1, 5001).view(-1, 1)
    found = merge(linear(), one(array, rows), [1.0])["w"] / rows
    for column, probability in enumerate([0.2, 0.8, 0.5]):
        values = found[:, column]
        torch.testing.assert_close(values[values != 0], torch.full((int((values != 0).sum()),), 1 / probability))
        assert float((values != 0).float().mean()) == pytest.approx(probability, abs=0.03)


def test_della_vector_is_one_row(array, merge):
    found = merge(linear(), one(array, torch.arange(1.0, 10002.0)), [1.0])["w"] != 0
    assert float(found[:1000].float().mean()) == pytest.approx(0.23, abs=0.05)
    assert float(found[-1000:].float().mean()) == pytest.approx(0.77, abs=0.05)
    column = merge(linear(rescale="none"), one(array, torch.ones(10000, 1)), [1.0])["w"]
    assert float(column.mean()) == pytest.approx(0.5, abs=0.02)


def test_della_mean_over_seeds_is_task_arithmetic(array, merge):
    rows = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))
    experts = array([{"w": row} for row in rows[:2]], parent={"w": rows[2]})
    found = torch.stack([merge(linear(seed=seed), experts, [0.3, 0.7])["w"] for seed in range(200)]).mean(0)
    torch.testing.assert_close(found, merge(TaskArithmetic(scale=1.0), experts, [0.3, 0.7])["w"], atol=0.4, rtol=0)


def test_della_without_epsilon_is_dare(array, merge):
    experts = one(array, torch.randn(100, generator=torch.Generator().manual_seed(0)))
    dare = Dare(density=0.5, rescale="probability", scale=1.0, aggregate="linear", seed=0)
    assert torch.equal(merge(linear(epsilon=0.0), experts, [1.0])["w"], merge(dare, experts, [1.0])["w"])


def test_della_blocks_give_same(array, merge, monkeypatch):
    experts = one(array, torch.randn(6, 10, generator=torch.Generator().manual_seed(0)))
    for method in (linear(), elected(), linear(rescale="norm")):
        first = merge(method, experts, [1.0])["w"]
        with monkeypatch.context() as patched:
            patched.setattr("dfwe.merging.engine.BLOCK", 7)
            assert torch.equal(merge(method, experts, [1.0])["w"], first)


def test_della_election_by_hand(array, merge):
    experts = array([{"w": torch.tensor([4.0, -1.0])}, {"w": torch.tensor([2.0, 4.0])}], parent={"w": torch.zeros(2)})
    assert merge(elected(density=1.0, scale=2.0), experts, [0.5, 0.5])["w"].tolist() == [6.0, 8.0]


def test_della_matches_reference(reference, merge):
    experts, expected = reference("abc", merged="della_density1")
    method, coefficients = recipe_method("della", where="").build((0.5, 0.3, 0.2), {"density": 1.0, "epsilon": 0.0})
    found = merge(method, experts, coefficients)
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-5, rtol=0)
