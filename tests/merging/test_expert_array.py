"""Experts as one array, and models in one buffer."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from dfwe.errors import MergeError
from dfwe.merging.expert_array import Layout, flatten, load_experts, load_weights, save_weights, unflatten


def perturbed(model, *, path, seed):
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter))
    save_weights(model, path)
    return {name: parameter.clone() for name, parameter in model.named_parameters()}


def test_layout_has_tied_weights_once(model):
    layout = Layout.of(model)
    assert (
        layout.size == sum(p.numel() for p in model.parameters()) < sum(t.numel() for t in model.state_dict().values())
    )


def test_load_experts_keeps_order(model, tmp_path):
    layout = Layout.of(model)
    weights = [perturbed(model, path=tmp_path / f"{i}.safetensors", seed=i) for i in range(2)]
    experts = load_experts({"a": tmp_path / "0.safetensors", "b": tmp_path / "1.safetensors"}, layout=layout)
    assert experts.names == ("a", "b")
    for row, expected in zip(experts.weights, weights, strict=True):
        views = layout.views(row)
        assert all(torch.equal(views[name], tensor) for name, tensor in expected.items())


def test_flatten_shares_memory_with_model(model):
    before = [parameter.clone() for parameter in model.parameters()]
    flat = flatten(model)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    flat.zero_()
    assert all(bool((parameter == 0).all()) for parameter in model.parameters())
    unflatten(model)
    flat.fill_(1.0)
    assert all(bool((parameter == 0).all()) for parameter in model.parameters())


def test_load_weights_restores_saved_bits(model, tmp_path):
    expected = perturbed(model, path=tmp_path / "w.safetensors", seed=3)
    flatten(model).zero_()
    load_weights(model, tmp_path / "w.safetensors", name="w")
    assert all(torch.equal(parameter, expected[name]) for name, parameter in model.named_parameters())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop("shared.weight"), "expert 'x' .* lacks the tensor 'shared.weight'"),
        (
            lambda tensors: tensors.update({"a.stranger": torch.zeros(2)}),
            "x. .* has the tensor .a.stranger., which",
        ),
        (lambda tensors: tensors.update({"shared.weight": torch.zeros(2, 3)}), r"has shape \[2, 3\], expected"),
        (lambda tensors: tensors["shared.weight"].fill_(float("nan")), "weights are NaN or infinite"),
    ],
)
def test_load_experts_names_a_misfit(model, tmp_path, change, message):
    save_weights(model, tmp_path / "w.safetensors")
    tensors = load_file(tmp_path / "w.safetensors")
    change(tensors)
    save_file(tensors, tmp_path / "bad.safetensors")
    with pytest.raises(MergeError, match=message):
        load_experts({"x": tmp_path / "bad.safetensors"}, layout=Layout.of(model))


def test_load_experts_refuses_truncated_files(model, tmp_path):
    path = tmp_path / "w.safetensors"
    save_weights(model, path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(MergeError, match="cannot be read"):
        load_experts({"x": path}, layout=Layout.of(model))


def test_load_experts_of_none_is_an_error(model):
    with pytest.raises(MergeError, match="at least one expert"):
        load_experts({}, layout=Layout.of(model))
