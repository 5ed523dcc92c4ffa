"""Experts as one array, and models in one buffer."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from dfwe.errors import MergeError, ModelError
from dfwe.merging.expert_array import (
    Layout,
    flat_weights,
    flatten,
    load_experts,
    load_weights,
    save_weights,
    unflatten,
)


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


def test_adapters_are_loaded_as_factors(model, tmp_path, adapter):
    layout, parent = Layout.of(model), flat_weights(model)
    whole = perturbed(model, path=tmp_path / "w.safetensors", seed=0)
    folders = {"a": adapter("a", layout, rank=2, seed=1), "b": adapter("b", layout, whole=("norm.weight",), seed=2)}
    files = {"a": folders["a"], "w": tmp_path / "w.safetensors", "b": folders["b"] / "adapter_model.safetensors"}
    experts = load_experts(files, layout=layout, parent=parent)
    assert (experts.names, experts.weights.shape) == (("a", "w", "b"), (1, layout.size))
    stored = load_file(folders["a"] / "adapter_model.safetensors")
    first, second = (stored[f"base_model.model.shared.lora_{side}.weight"] for side in "AB")
    for name, (a, w, b) in zip(layout.names, experts.tensors(), strict=True):
        base = layout.views(parent)[name]
        assert torch.equal(w, whole[name])
        if name == "shared.weight":
            torch.testing.assert_close(a, base + 5 / 2 * (second @ first))
        if name.endswith("norm.weight"):
            assert a.data_ptr() == base.data_ptr()  # what it leaves alone is not copied
            assert torch.equal(b, load_file(files["b"])[f"base_model.model.{name}"])


def test_write_expert_gives_each_experts_weights(model, tmp_path, adapter):
    layout, parent = Layout.of(model), flat_weights(model)
    perturbed(model, path=tmp_path / "w.safetensors", seed=0)
    files = {"w": tmp_path / "w.safetensors", "a": adapter("a", layout, whole=("norm.weight",))}
    experts = load_experts(files, layout=layout, parent=parent)
    rows = [torch.cat([tensor.flatten() for tensor in of_expert]) for of_expert in zip(*experts.tensors(), strict=True)]
    for place, row in enumerate(rows):
        out = torch.full((layout.size,), torch.nan)
        experts.write_expert(place, out=out)
        assert torch.equal(out, row)
    assert not torch.equal(rows[1], parent)


def test_load_weights_adds_an_adapter_to_the_models_own(model, adapter):
    layout, folder = Layout.of(model), adapter("a", Layout.of(model))
    expected = torch.empty(layout.size)
    load_experts({"a": folder}, layout=layout, parent=flat_weights(model)).write_expert(0, out=expected)
    load_weights(model, folder, name="a")
    assert torch.equal(flat_weights(model), expected)


def test_an_adapter_may_have_other_tasks_heads(model, tmp_path, adapter):
    layout = Layout.of(model)
    longer = Layout(
        (*layout.names, "heads.x.weight", "heads.y.bias"), (*layout.shapes, torch.Size([2, 4]), torch.Size([2]))
    )
    folder = adapter("a", longer, whole=("heads.y.bias",))
    experts = load_experts({"a": folder}, layout=layout, parent=flat_weights(model), optional_prefix="heads.")
    assert "shared.weight" in experts.adapters[0]
    assert not any(name.startswith("heads.") for name in experts.adapters[0])
    with pytest.raises(ModelError, match=r"changes 'heads\.x\.weight', which the base model lacks"):
        load_experts({"a": folder}, layout=layout, parent=flat_weights(model))


def test_an_adapter_without_a_base_is_an_error(model, adapter):
    with pytest.raises(MergeError, match="expert 'a' .* is a LoRA adapter: name the base model"):
        load_experts({"a": adapter("a", Layout.of(model))}, layout=Layout.of(model))


def test_an_adapter_that_is_not_finite_is_an_error(model, adapter):
    folder = adapter("a", Layout.of(model))
    tensors = load_file(folder / "adapter_model.safetensors")
    tensors["base_model.model.shared.lora_A.weight"][0, 0] = torch.inf
    save_file(tensors, folder / "adapter_model.safetensors")
    with pytest.raises(MergeError, match="expert 'a' .* 'shared.weight' is changed by NaN or infinite values"):
        load_experts({"a": folder}, layout=Layout.of(model), parent=flat_weights(model))


def test_num_bytes_counts_a_base_that_is_the_parent_once(model, adapter):
    layout, parent, folder = Layout.of(model), flat_weights(model), adapter("a", Layout.of(model), rank=1)
    experts = load_experts({"a": folder, "b": folder}, layout=layout, parent=parent)
    factors = sum(tensor.nbytes for tensor in load_file(folder / "adapter_model.safetensors").values())
    assert experts.num_bytes == parent.nbytes + 2 * factors
