"""Drop by chance and rescale, with and without election."""

from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from dfwe.combine import main
from dfwe.merging.files.recipe_methods import recipe_method
from dfwe.merging.methods.linear import TaskArithmetic
from dfwe.merging.methods.sparse import Dare, Ties


def elected(**changes):
    return Dare(**{"density": 0.5, "rescale": "probability", "scale": 1.0, "aggregate": "mean", "seed": 0} | changes)


def linear(**changes):
    return elected(aggregate="linear", **changes)


def pair(array, size=1000):
    rows = torch.randn(3, size, generator=torch.Generator().manual_seed(0))
    return array([{"w": row} for row in rows[:2]], parent={"w": rows[2]})


def test_dare_drops_or_divides_by_density(array, merge):
    one = array([{"w": torch.full((10000,), 3.0)}], parent={"w": torch.ones(10000)})
    found = merge(linear(density=0.25), one, [1.0])["w"]
    assert found.unique().tolist() == [1.0, 9.0]
    assert float((found == 9.0).float().mean()) == pytest.approx(0.25, abs=0.02)


def test_dare_mean_over_seeds_is_task_arithmetic(array, merge):
    experts = pair(array, size=20)
    found = torch.stack([merge(linear(seed=seed), experts, [0.3, 0.7])["w"] for seed in range(200)]).mean(0)
    torch.testing.assert_close(
        found, merge(TaskArithmetic(scale=1.0), experts, [0.3, 0.7])["w"], atol=0.2, rtol=0
    )  # five standard errors


def test_dare_full_density_is_task_arithmetic_or_ties(array, merge):
    experts, ties = pair(array), Ties(density=1.0, scale=0.6, trim="model", aggregate="mean")
    for method, plain in (
        (linear(density=1.0, scale=0.6), TaskArithmetic(scale=0.6)),
        (elected(density=1.0, scale=0.6), ties),
    ):
        found, expected = (merge(each, experts, [0.3, 0.7])["w"] for each in (method, plain))
        torch.testing.assert_close(found, expected)


def test_dare_masks_depend_on_seed_position_and_name(array, merge, monkeypatch):
    experts = pair(array)
    first = merge(linear(), experts, [0.5, 0.5])["w"]
    monkeypatch.setattr("dfwe.merging.engine.BLOCK", 7)
    assert torch.equal(merge(linear(), experts, [0.5, 0.5])["w"], first)
    assert not torch.equal(merge(linear(seed=1), experts, [0.5, 0.5])["w"], first)
    same = array(
        [{"v": experts.weights[0], "w": experts.weights[0]}] * 2,
        parent={"v": torch.zeros(1000), "w": torch.zeros(1000)},
    )
    one, other = (merge(linear(), same, vertex) for vertex in ([1.0, 0.0], [0.0, 1.0]))
    assert not torch.equal(one["w"], other["w"])
    assert not torch.equal(one["v"], one["w"])


def test_dare_larger_density_keeps_same_entries(array, merge):
    one = array([{"w": torch.ones(1000)}], parent={"w": torch.zeros(1000)})
    few, many = (merge(linear(density=density), one, [1.0])["w"] > 0 for density in (0.3, 0.6))
    assert bool((few <= many).all())
    assert int(few.sum()) < int(many.sum())


def test_dare_rescale_restores_or_leaves_norm(array, merge):
    one = array([{"w": pair(array).weights[0]}], parent={"w": torch.zeros(1000)})
    found = {rescale: merge(linear(rescale=rescale), one, [1.0])["w"] for rescale in ("norm", "none")}
    torch.testing.assert_close(found["norm"].abs().sum(), one.weights.abs().sum())
    assert bool(((found["none"] == 0) | (found["none"] == one.weights[0])).all())


def test_dare_dropped_entries_have_no_vote(array, merge):
    experts = array([{"w": torch.full((100,), value)} for value in (2.0, -1.0)], parent={"w": torch.zeros(100)})
    assert merge(elected(rescale="none"), experts, [0.5, 0.5])["w"].unique().tolist() == [-1.0, 0.0, 2.0]


def test_dare_files_and_arrays_merge_alike(reference, merge, tmp_path):
    experts, _ = reference("ab", merged="della_density1")
    folder = Path(__file__).parents[4] / ".." / "shared" / "oracle" / "merges" / "experts"
    models = [{"model": str(folder / name), "parameters": {"weight": 0.5}} for name in "ab"]
    settings = {"density": 0.5, "seed": 4}
    recipe = {"merge_method": "dare_ties", "base_model": str(folder / "base"), "models": models, "parameters": settings}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    assert main([str(tmp_path / "recipe.yaml"), str(tmp_path / "out")]) == 0
    found = load_file(tmp_path / "out" / "model.safetensors")
    for name, tensor in merge(*_of_recipe(experts, settings)).items():
        torch.testing.assert_close(found[name], tensor, atol=1e-6, rtol=0)


def _of_recipe(experts, settings):
    method, coefficients = recipe_method("dare_ties", where="").build((0.5, 0.5), settings | {"seed": 4.0})
    return method, experts, coefficients
