"""LoRA experts that are held as factors: the same merges as of the whole models that they stand for."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dfwe.conf import conf_dir
from dfwe.config.instantiate import bind
from dfwe.io.strict_yaml import read_yaml
from dfwe.merging import engine
from dfwe.merging.base import ByLayer, LinearMethod
from dfwe.merging.engine import TensorGroups, prepare_merge
from dfwe.merging.expert_array import ExpertArray, Layout, load_experts
from dfwe.merging.methods.linear import Linear, TaskArithmetic

NAMES = sorted({file.stem for file in (conf_dir() / "merge").glob("*.yaml")} - {"base"})
SHAPES = {
    "embed.weight": (9, 6),
    "layers.0.q.weight": (6, 6),
    "layers.0.norm.scale": (6,),
    "layers.1.q.weight": (4, 6),
    "layers.1.norm.scale": (6,),
    "head.weight": (5, 6),
}
LAYOUT = Layout(tuple(SHAPES), tuple(map(torch.Size, SHAPES.values())))


@pytest.fixture
def pair(adapter):
    """pair(2): so many experts as factors, the second of them a whole model, and the same as dense rows."""

    def make(number, *, has_parent=True):
        torch.manual_seed(0)
        parent, whole = torch.randn(LAYOUT.size), torch.randn(LAYOUT.size)
        folders = {
            name: adapter(name, LAYOUT, rank=rank, seed=rank) for name, rank in zip("acd", (1, 3, 2), strict=True)
        }
        loaded = load_experts(folders, layout=LAYOUT, parent=parent)
        changed = {**loaded.adapters[0], "head.weight": torch.ones(5, 6)}  # as `modules_to_save` does
        adapters = (changed, None, *loaded.adapters[1:])[:number]
        names = ("a", "whole", "c", "d")[:number]
        factors = replace(
            loaded, names=names, weights=whole[None], adapters=adapters, parent=parent if has_parent else None
        )
        rows = torch.stack([torch.cat([t.flatten() for t in of]) for of in zip(*factors.tensors(), strict=True)])
        return factors, ExpertArray(names, LAYOUT, rows, factors.parent)

    return make


def with_statistics(array, name):
    """Give the array what the method needs, drawn; the same for every array."""
    torch.manual_seed(1)
    grams = name.startswith("regmean")
    kept = [key for key, shape in SHAPES.items() if len(shape) == 2] if grams else list(SHAPES)
    draws = [{key: torch.rand(*SHAPES[key], 7 if grams else 1) for key in kept} for _ in array.names]
    statistics = tuple(
        {key: draw[0] @ draw[0].T + torch.eye(6) if grams else draw[..., 0] for key, draw in of_expert.items()}
        for of_expert in draws
    )
    return replace(array, statistics=statistics)


def merged(method, array, coefficients, *, groups=None):
    out = torch.full((LAYOUT.size,), torch.nan)
    prepare_merge(method, array, groups=groups)(np.atleast_2d(np.array(coefficients, dtype=float)), {}, out)
    return out


@pytest.mark.parametrize("name", NAMES)
def test_every_method_merges_factors_as_whole_models(pair, name, monkeypatch):
    monkeypatch.setattr(engine, "BLOCK", 7)
    method = bind(read_yaml(conf_dir() / "merge" / f"{name}.yaml")["method"])
    number = 2 if method.properties.max_experts == 2 else 4
    factors, rows = pair(number, has_parent=method.properties.needs_parent)
    coefficients = [0.7, 0.3] if number == 2 else [0.4, 0.1, 0.3, 0.2]
    if method.properties.needs_statistics:
        factors, rows = with_statistics(factors, name), with_statistics(rows, name)
    result, expected = (merged(method, array, coefficients) for array in (factors, rows))
    if isinstance(method, LinearMethod):
        torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-5)
    else:
        assert torch.equal(result, expected)
    assert not torch.allclose(result, merged(Linear(), rows, [1.0, *[0.0] * (number - 1)]))


@pytest.mark.parametrize("method", [Linear(), TaskArithmetic(scale=0.6)])
def test_groups_of_coefficients_hold_for_factors(pair, method):
    factors, rows = pair(4)
    groups = ByLayer()
    coefficients = np.random.default_rng(0).normal(size=(len(groups.names(LAYOUT.names)), 4))
    result, expected = (merged(method, array, coefficients, groups=groups) for array in (factors, rows))
    torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("place", range(4))
def test_sum_of_a_vertex_is_that_expert(pair, place):
    factors, rows = pair(4)
    torch.testing.assert_close(merged(Linear(), factors, np.eye(4)[place]), rows.weights[place])


def test_adapters_alone_are_summed_on_threads(pair):
    factors, rows = pair(4)
    alone = replace(
        factors,
        names=("a", "c", "d"),
        weights=factors.weights[:0],
        adapters=(factors.adapters[0], *factors.adapters[2:]),
    )
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    result = merged(Linear(), alone, [0.5, -0.2, 0.4])
    torch.set_num_threads(before)
    torch.testing.assert_close(result, merged(Linear(), rows, [0.5, 0.0, -0.2, 0.4]), rtol=1e-5, atol=1e-5)


def test_groups_of_tensors_can_be_read_again(pair):
    factors, rows = pair(4)
    groups = TensorGroups(factors)
    for _ in range(2):
        for group, expected in zip(groups, TensorGroups(rows), strict=True):
            assert group.info == expected.info
            assert all(map(torch.equal, group.experts, expected.experts))
            assert torch.equal(group.parent, expected.parent)


def test_a_mapped_array_has_each_tensor_once(pair):
    factors, _ = pair(4)
    seen = []
    mapped = factors.map(lambda tensor: seen.append(tensor) or tensor + 0.0)
    assert len({id(tensor) for tensor in seen}) == len(seen)
    assert mapped.parent is mapped.base
    torch.testing.assert_close(
        merged(Linear(), mapped, [0.4, 0.1, 0.3, 0.2]), merged(Linear(), factors, [0.4, 0.1, 0.3, 0.2])
    )
