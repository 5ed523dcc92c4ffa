"""Combinations of LoRA adapters, by hand and against PEFT."""

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from dfwe.errors import MergeError
from dfwe.merging.adapter_combinations import combine_adapters, linear, svd
from dfwe.merging.expert_array import Layout, flat_weights, load_experts
from dfwe.models.adapters import Factors, save_factors


def factors(first, second, *, scale=1.0, is_transposed=False):
    return Factors(torch.tensor(first), torch.tensor(second), scale, is_transposed)


def product(part):
    return part.scale * part.left @ part.right


def test_linear_takes_square_roots_of_weights_and_scales():
    parts = [(0.5, factors([[1.0, 0.0]], [[2.0]], scale=8.0)), (-9.0, factors([[0.0, 1.0]], [[3.0]]))]
    combined = linear(parts)
    assert combined.first.tolist() == [[2.0, -3.0]]  # PEFT gives A the sign
    assert combined.second.tolist() == [[13.0]]
    assert combined.scale == 1.0


def test_svd_keeps_the_largest_products():
    parts = [(2.0, factors([[1.0, 0.0]], [[0.0], [3.0]])), (1.0, factors([[0.0, 1.0]], [[1.0], [0.0]], scale=5.0))]
    torch.testing.assert_close(product(svd(parts, rank=1)), torch.tensor([[0.0, 0.0], [6.0, 0.0]]))
    torch.testing.assert_close(product(svd(parts, rank=2)), torch.tensor([[0.0, 5.0], [6.0, 0.0]]))
    wide = svd(parts, rank=4)
    assert wide.first.shape == (4, 2)
    torch.testing.assert_close(product(wide), torch.tensor([[0.0, 5.0], [6.0, 0.0]]))


@pytest.mark.parametrize("combine", [linear, lambda parts: svd(parts, rank=1)])
def test_combinations_of_transposed_factors_are_transposed(combine):
    first, second = [[1.0, 2.0, 3.0]], [[4.0], [5.0]]
    plain, turned = ([(0.3, factors(first, second, is_transposed=flag))] for flag in (False, True))
    torch.testing.assert_close(product(combine(turned)), product(combine(plain)).T)


def test_whole_models_and_other_ranks_are_refused(tmp_path, adapter):
    layout = Layout(("q.weight", "norm.scale"), (torch.Size([4, 3]), torch.Size([3])))
    parent, weights = torch.zeros(layout.size), [(0.5, 0.5)] * 2
    folders = {"a": adapter("a", layout, rank=1), "b": adapter("b", layout, rank=2)}
    array = load_experts(folders, layout=layout, parent=parent)
    with pytest.raises(MergeError, match="adapters of the ranks 1, 2 have no linear combination"):
        combine_adapters(array, weights, combination="linear")
    assert combine_adapters(array, weights, combination="svd")["q.weight"].first.shape == (2, 3)
    array = load_experts({"a": folders["a"], "c": adapter("c", layout, whole=("scale",))}, layout=layout, parent=parent)
    with pytest.raises(MergeError, match="c has 'norm.scale' as a whole tensor"):
        combine_adapters(array, weights, combination="svd")


def test_saved_factors_are_read_back(tmp_path):
    layout = Layout(("q.weight", "v.weight"), (torch.Size([2, 3]), torch.Size([3, 2])))
    plain, turned = (
        factors([[1.0, 2.0, 3.0]], [[4.0], [5.0]], scale=0.5, is_transposed=flag) for flag in (False, True)
    )
    save_factors(tmp_path, {"q.weight": plain, "v.weight": turned})
    array = load_experts({"a": tmp_path}, layout=layout, parent=torch.ones(12))
    for (tensor,), part in zip(array.tensors(), (plain, turned), strict=True):
        torch.testing.assert_close(tensor, 1.0 + product(part))


SIZES = {"vocab_size": 11, "hidden_size": 8, "intermediate_size": 12, "num_attention_heads": 2, "num_hidden_layers": 2}


@pytest.mark.parametrize("weights", [(0.6, 0.3, 0.1), (1.2, -0.4, 0.0)])
@pytest.mark.parametrize("combination", ["linear", "svd"])
def test_combinations_equal_pefts(tmp_path, combination, weights):
    peft = pytest.importorskip("peft", reason="peft makes the combinations that ours are compared with")
    torch.manual_seed(0)
    base = LlamaForCausalLM(LlamaConfig(**SIZES))
    parent, layout, model = flat_weights(base), Layout.of(base), None
    ranks = (3, 3, 3) if combination == "linear" else (3, 2, 4)
    targets = (["q_proj", "v_proj"], ["q_proj", "down_proj"], ["q_proj", "v_proj"])
    for name, rank, modules in zip("abc", ranks, targets, strict=True):
        config = peft.LoraConfig(r=rank, lora_alpha=rank + 2, target_modules=modules, init_lora_weights=False)
        if model is None:
            model = peft.get_peft_model(base, config, adapter_name=name)
        else:
            model.add_adapter(name, config)
    model.add_weighted_adapter(list("abc"), list(weights), "all", combination_type=combination)
    model.save_pretrained(tmp_path)
    folders = {name: tmp_path / name for name in ("a", "b", "c")}
    array = load_experts(folders, layout=layout, parent=parent)
    ours = combine_adapters(array, [weights] * len(layout.names), combination=combination)
    theirs = load_experts({"all": tmp_path / "all"}, layout=layout, parent=parent).adapters[0]
    assert ours.keys() == theirs.keys()
    for name, part in ours.items():
        torch.testing.assert_close(product(part), product(theirs[name]), rtol=1e-5, atol=1e-6)


def test_saved_factors_are_loaded_by_peft(tmp_path):
    peft = pytest.importorskip("peft", reason="peft loads what we write")
    torch.manual_seed(0)
    base = LlamaForCausalLM(LlamaConfig(**SIZES))
    parent, layout = flat_weights(base), Layout.of(base)
    name = "model.layers.1.self_attn.q_proj.weight"
    save_factors(tmp_path, {name: Factors(torch.randn(2, 8), torch.randn(8, 2), 0.7, False)})
    out = torch.empty(layout.size)
    load_experts({"a": tmp_path}, layout=layout, parent=parent).write_expert(0, out=out)
    merged = dict(peft.PeftModel.from_pretrained(base, tmp_path).merge_and_unload().named_parameters())
    for key, expected in layout.views(out).items():
        torch.testing.assert_close(merged[key], expected, rtol=1e-6, atol=1e-6)
    assert not torch.equal(out, parent)
