"""Large entries are dropped less often than small ones."""

import pytest
import torch

from dfwe.errors import MergeError
from dfwe.merging.dare_linear import DareLinear
from dfwe.merging.della import Della
from dfwe.merging.della_linear import DellaLinear
from dfwe.merging.task_arithmetic import TaskArithmetic


def linear(**changes):
    return DellaLinear(**{"density": 0.5, "epsilon": 0.3, "rescale": "probability", "scale": 1.0, "seed": 0} | changes)


def elected(**changes):
    settings = {"density": 0.5, "epsilon": 0.3, "rescale": "probability", "scale": 1.0, "aggregate": "mean", "seed": 0}
    return Della(**settings | changes)


def one(array, tensor):
    return array([{"w": tensor}], parent={"w": torch.zeros(tensor.shape)})


def test_probabilities_go_with_the_rank_in_the_row_and_what_is_kept_is_divided_by_them(array, merge):
    rows = torch.tensor([1.0, -3.0, 2.0]).repeat(5000, 1) * torch.arange(1, 5001).view(-1, 1)
    found = merge(linear(), one(array, rows), [1.0])["w"] / rows
    for column, probability in enumerate([0.2, 0.8, 0.5]):
        values = found[:, column]
        torch.testing.assert_close(values[values != 0], torch.full((int((values != 0).sum()),), 1 / probability))
        assert float((values != 0).float().mean()) == pytest.approx(probability, abs=0.03)


def test_a_vector_is_one_row_and_a_single_entry_has_the_density(array, merge):
    found = merge(linear(), one(array, torch.arange(1.0, 10002.0)), [1.0])["w"] != 0
    assert float(found[:1000].float().mean()) == pytest.approx(0.23, abs=0.05)
    assert float(found[-1000:].float().mean()) == pytest.approx(0.77, abs=0.05)
    column = merge(linear(rescale="none"), one(array, torch.ones(10000, 1)), [1.0])["w"]
    assert float(column.mean()) == pytest.approx(0.5, abs=0.02)


def test_the_mean_over_seeds_is_task_arithmetic(array, merge):
    rows = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))
    experts = array([{"w": row} for row in rows[:2]], parent={"w": rows[2]})
    found = torch.stack([merge(linear(seed=seed), experts, [0.3, 0.7])["w"] for seed in range(200)]).mean(0)
    torch.testing.assert_close(found, merge(TaskArithmetic(scale=1.0), experts, [0.3, 0.7])["w"], atol=0.4, rtol=0)


def test_without_an_epsilon_it_is_dare(array, merge):
    experts = one(array, torch.randn(100, generator=torch.Generator().manual_seed(0)))
    dare = DareLinear(density=0.5, rescale="probability", scale=1.0, seed=0)
    assert torch.equal(merge(linear(epsilon=0.0), experts, [1.0])["w"], merge(dare, experts, [1.0])["w"])


def test_blocks_change_nothing(array, merge, monkeypatch):
    experts = one(array, torch.randn(6, 10, generator=torch.Generator().manual_seed(0)))
    for rule in (linear(), elected(), linear(rescale="norm")):
        first = merge(rule, experts, [1.0])["w"]
        with monkeypatch.context() as patched:
            patched.setattr("dfwe.merging.driver.BLOCK", 7)
            assert torch.equal(merge(rule, experts, [1.0])["w"], first)


def test_the_election_by_hand(array, merge):
    experts = array([{"w": torch.tensor([4.0, -1.0])}, {"w": torch.tensor([2.0, 4.0])}], parent={"w": torch.zeros(2)})
    assert merge(elected(density=1.0, scale=2.0), experts, [0.5, 0.5])["w"].tolist() == [6.0, 8.0]


def test_probabilities_outside_their_range_are_errors():
    with pytest.raises(MergeError, match=r"della: epsilon must be at least 0 and density \+/- epsilon in \(0, 1\)"):
        elected(density=0.2, epsilon=0.2).check(2)
    with pytest.raises(MergeError, match="della_linear: epsilon must be .* not epsilon -0.1 at density 0.5"):
        linear(epsilon=-0.1).check(2)
    with pytest.raises(MergeError, match=r"della: density must be in \(0, 1\], not 0"):
        elected(density=0.0).check(2)


def test_recipes_have_mergekits_defaults():
    rule, _ = DellaLinear.from_recipe((1.0,), {"density": 0.5})
    assert rule == linear(epsilon=0.15, rescale="norm")
    assert Della.from_recipe((1.0,), {"density": 0.5, "lambda": 2.0})[0] == elected(
        epsilon=0.15, rescale="norm", scale=2.0
    )


def test_the_reference_merge_is_met(reference, merge):
    experts, expected = reference("abc", merged="della_density1")
    rule, coefficients = Della.from_recipe((0.5, 0.3, 0.2), {"density": 1.0, "epsilon": 0.0})
    found = merge(rule, experts, coefficients)
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, atol=1e-5, rtol=0)
