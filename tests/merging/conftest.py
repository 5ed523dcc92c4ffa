"""Share an array of experts, a merge of it, the reference merges of ../shared/oracle."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from dfwe.merging.engine import prepare_merge
from dfwe.merging.expert_array import ExpertArray, Layout

ORACLE = Path(__file__).parents[2] / ".." / "shared" / "oracle" / "merges"


@pytest.fixture
def array():
    """array([{"w": tensor, ...}, ...], parent={...}): experts named a, b, c, ..."""

    def make(experts, parent=None, statistics=()):
        layout = Layout(tuple(experts[0]), tuple(tensor.shape for tensor in experts[0].values()))
        rows = [torch.cat([expert[name].flatten() for name in layout.names]) for expert in experts]
        flat = None if parent is None else torch.cat([parent[name].flatten() for name in layout.names])
        return ExpertArray(tuple("abcdefgh"[: len(rows)]), layout, torch.stack(rows), flat, tuple(statistics))

    return make


@pytest.fixture
def merge():
    """merge(method, experts, coefficients, groups=..., **settings): the tensors by name."""

    def merge(method, experts, coefficients, groups=None, **settings):
        out = torch.full((experts.layout.size,), torch.nan)
        prepare_merge(method, experts, groups=groups)(np.atleast_2d(np.array(coefficients, dtype=float)), settings, out)
        return experts.layout.views(out)

    return merge


@pytest.fixture
def reference(array):
    """reference("abc", merged="linear"): the experts' array and the tensors that a public tool made of it."""
    if not ORACLE.exists():
        pytest.skip("the reference merges are not beside the checkout (../shared/oracle)")

    def load(experts, merged):
        expected = load_file(ORACLE / "merged" / f"{merged}.safetensors")
        files = {
            name: load_file(ORACLE / "experts" / name / "model.safetensors") for name in ("base", *experts)
        }  # some tools leave tied tensors out
        kept = {name: {key: t for key, t in tensors.items() if key in expected} for name, tensors in files.items()}
        return array([kept[name] for name in experts], parent=kept["base"]), expected

    return load
