"""Drop by chance and rescale, with and without election."""

import pytest
import torch

from dfwe.errors import MergeError
from dfwe.merging.dare_linear import DareLinear
from dfwe.merging.dare_ties import DareTies
from dfwe.merging.task_arithmetic import TaskArithmetic
from dfwe.merging.ties import Ties


def linear(**changes):
    return DareLinear(**{"density": 0.5, "rescale": "probability", "scale": 1.0, "seed": 0} | changes)


def elected(**changes):
    return DareTies(
        **{"density": 0.5, "rescale": "probability", "scale": 1.0, "aggregate": "mean", "seed": 0} | changes
    )


def pair(array, size=1000):
    rows = torch.randn(3, size, generator=torch.Generator().manual_seed(0))
    return array([{"w": row} for row in rows[:2]], parent={"w": rows[2]})


def test_an_entry_is_dropped_or_divided_by_the_density(array, merge):
    one = array([{"w": torch.full((10000,), 3.0)}], parent={"w": torch.ones(10000)})
    found = merge(linear(density=0.25), one, [1.0])["w"]
    assert found.unique().tolist() == [1.0, 9.0]
    assert float((found == 9.0).float().mean()) == pytest.approx(0.25, abs=0.02)


def test_the_mean_over_seeds_is_task_arithmetic(array, merge):
    experts = pair(array, size=20)
    found = torch.stack([merge(linear(seed=seed), experts, [0.3, 0.7])["w"] for seed in range(200)]).mean(0)
    torch.testing.assert_close(
        found, merge(TaskArithmetic(scale=1.0), experts, [0.3, 0.7])["w"], atol=0.2, rtol=0
    )  # five standard errors


def test_with_all_kept_they_are_task_arithmetic_and_untrimmed_ties(array, merge):
    experts, ties = pair(array), Ties(density=1.0, scale=0.6, trim="model", aggregate="mean")
    for rule, plain in (
        (linear(density=1.0, scale=0.6), TaskArithmetic(scale=0.6)),
        (elected(density=1.0, scale=0.6), ties),
    ):
        found, expected = (merge(each, experts, [0.3, 0.7])["w"] for each in (rule, plain))
        torch.testing.assert_close(found, expected)


def test_the_masks_follow_from_seed_place_and_name_alone(array, merge, monkeypatch):
    experts = pair(array)
    first = merge(linear(), experts, [0.5, 0.5])["w"]
    monkeypatch.setattr("dfwe.merging.driver.BLOCK", 7)
    assert torch.equal(merge(linear(), experts, [0.5, 0.5])["w"], first)
    assert not torch.equal(merge(linear(seed=1), experts, [0.5, 0.5])["w"], first)
    same = array(
        [{"v": experts.weights[0], "w": experts.weights[0]}] * 2,
        parent={"v": torch.zeros(1000), "w": torch.zeros(1000)},
    )
    one, other = (merge(linear(), same, vertex) for vertex in ([1.0, 0.0], [0.0, 1.0]))
    assert not torch.equal(one["w"], other["w"])
    assert not torch.equal(one["v"], one["w"])


def test_what_a_density_keeps_a_larger_one_keeps_too(array, merge):
    one = array([{"w": torch.ones(1000)}], parent={"w": torch.zeros(1000)})
    few, many = (merge(linear(density=density), one, [1.0])["w"] > 0 for density in (0.3, 0.6))
    assert bool((few <= many).all())
    assert int(few.sum()) < int(many.sum())


def test_the_norm_is_restored_or_left(array, merge):
    one = array([{"w": pair(array).weights[0]}], parent={"w": torch.zeros(1000)})
    found = {rescale: merge(linear(rescale=rescale), one, [1.0])["w"] for rescale in ("norm", "none")}
    torch.testing.assert_close(found["norm"].abs().sum(), one.weights.abs().sum())
    assert bool(((found["none"] == 0) | (found["none"] == one.weights[0])).all())


def test_dropped_entries_have_no_vote_and_no_share(array, merge):
    experts = array([{"w": torch.full((100,), value)} for value in (2.0, -1.0)], parent={"w": torch.zeros(100)})
    assert merge(elected(rescale="none"), experts, [0.5, 0.5])["w"].unique().tolist() == [-1.0, 0.0, 2.0]


def test_wrong_settings_are_errors():
    with pytest.raises(MergeError, match=r"dare_linear: density must be in \(0, 1\], not 0"):
        linear(density=0.0).check(2)
    with pytest.raises(MergeError, match=r"dare_ties: density must be in \(0, 1\], not 2"):
        elected(density=2.0).check(2)


def test_recipes_have_mergekits_defaults():
    assert DareLinear.from_recipe((1.0,), {}) == (linear(density=1.0, rescale="norm"), (1.0,))
    rule, _ = DareTies.from_recipe((1.0, 1.0), {"density": 0.4, "rescale": False, "seed": 3.0})
    assert rule == elected(density=0.4, rescale="none", scale=0.5, aggregate="sum", seed=3)
