"""Recipes with slices: layers of several models put together."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, LlamaConfig, Qwen2Config, T5Config

from dfwe.combine import main

SIZES = {"vocab_size": 11, "hidden_size": 8, "intermediate_size": 12, "num_attention_heads": 2, "num_hidden_layers": 4}
CASES = Path(__file__).parents[1] / ".." / "shared" / "cases" / "05_recipes"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, value in {"a": 1.0, "b": 3.0, "base": 2.0}.items():
        tensors = {f"model.layers.{layer}.w": torch.full((2,), value + 10 * layer) for layer in range(4)}
        tensors |= {"model.embed_tokens.weight": torch.full((2,), value), "model.norm.weight": torch.full((2,), -value)}
        Path(name).mkdir()
        save_file(tensors, f"{name}/model.safetensors")
        Path(f"{name}/config.json").write_text(json.dumps({"num_hidden_layers": 4, "layer_types": list("wxyz")}))
    return tmp_path


def source(model, begin, end, **parameters):
    return {"model": model, "layer_range": [begin, end], "parameters": parameters}


def recipe(*slices, method="passthrough", **changes):
    content = {"merge_method": method, "slices": [{"sources": list(item)} for item in slices], **changes}
    Path("recipe.yaml").write_text(yaml.safe_dump(content))
    return main(["recipe.yaml", "out"])


def values():
    tensors = load_file("out/model.safetensors")
    return {name.removeprefix("model."): tensor.unique().item() for name, tensor in tensors.items()}


def layers():
    found = values()
    return [found[f"layers.{layer}.w"] for layer in range(sum("layers" in name for name in found))]


def test_slices_passthrough_stacks_and_renumbers(here):
    assert recipe([source("a", 0, 3)], [source("b", 1, 4)]) == 0
    assert layers() == [1.0, 11.0, 21.0, 13.0, 23.0, 33.0]
    # as in mergekit: embeddings of the first slice, the last norm of the last one
    assert (values()["embed_tokens.weight"], values()["norm.weight"]) == (1.0, -3.0)
    config = json.loads(Path("out/config.json").read_text())
    assert (config["num_hidden_layers"], config["layer_types"]) == (6, list("wxyxyz"))


def test_slices_may_be_many(here):
    assert recipe(*[[source("a", layer % 4, layer % 4 + 1)] for layer in range(80)]) == 0
    assert layers() == [1.0, 11.0, 21.0, 31.0] * 20


def test_slices_passthrough_scales_a_slice(here):
    scale = [{"filter": "layers", "value": 0.5}, {"value": 1.0}]
    assert recipe([source("a", 0, 2)], [source("b", 0, 1, scale=scale)]) == 0
    assert layers() == [1.0, 11.0, 1.5]
    assert values()["norm.weight"] == -3.0


def test_slices_passthrough_of_a_whole_model_copies_it(here):
    Path("recipe.yaml").write_text("merge_method: passthrough\nmodels: [{model: a}]\n")
    assert main(["recipe.yaml", "out"]) == 0
    assert layers() == [1.0, 11.0, 21.0, 31.0]


def test_slices_merge_with_weights_of_their_own(here):
    first = [source("a", 0, 1, weight=1.0), source("b", 0, 1, weight=1.0)]
    second = [source("a", 2, 4, weight=1.0), source("b", 2, 4, weight=3.0)]
    assert recipe(first, second, method="linear") == 0
    assert layers() == [2.0, 22.5, 32.5]
    assert (values()["embed_tokens.weight"], values()["norm.weight"]) == (2.0, -2.5)


def test_slices_with_the_base_among_sources_are_task_vectors(here):
    parts = [[source("a", begin, begin + 2, weight=1.0), source("base", begin, begin + 2)] for begin in (0, 2)]
    assert recipe(*parts, method="task_arithmetic", base_model="./base", parameters={"lambda": 2.0}) == 0
    assert layers() == [0.0, 10.0, 20.0, 30.0]


def test_slices_setting_falls_back_to_the_recipes(here):
    own = {"parameters": {"t": [{"filter": "layers.0", "value": 1.0}]}}
    slices = [{"sources": [source("a", 0, 2), source("b", 0, 2)], **own}]
    content = {"merge_method": "slerp", "base_model": "a", "slices": slices, "parameters": {"t": 0.5}}
    Path("recipe.yaml").write_text(yaml.safe_dump(content))
    assert main(["recipe.yaml", "out"]) == 0
    assert layers() == pytest.approx([3.0, 12.0])


def test_slices_output_is_the_last_models(here):
    for name, value in {"a": 1.0, "b": 3.0}.items():
        layer = {f"gpt_neox.layers.{number}.w": torch.full((2,), value) for number in range(2)}
        ends = ("gpt_neox.embed_in", "embed_out", "gpt_neox.final_layer_norm")
        save_file(layer | {f"{end}.weight": torch.full((2,), value) for end in ends}, f"{name}/model.safetensors")
    assert recipe([source("a", 0, 1)], [source("b", 0, 2)]) == 0
    found = {name: value for name, value in values().items() if "layers" not in name}
    assert found == {"gpt_neox.embed_in.weight": 1.0, "embed_out.weight": 3.0, "gpt_neox.final_layer_norm.weight": 3.0}


def test_slices_of_other_vocabularies_are_refused(here, capsys):
    save_file(load_file("a/model.safetensors") | {"lm_head.weight": torch.ones(3, 2)}, "a/model.safetensors")
    save_file(load_file("b/model.safetensors") | {"lm_head.weight": torch.ones(4, 2)}, "b/model.safetensors")
    assert recipe([source("a", 0, 1)], [source("b", 0, 1)]) == 2
    assert "a and b have 2 and 4 tokens" in capsys.readouterr().err


def test_slices_gradient_spans_each_slice(here):
    parts = [[source("a", 0, 4), source("b", 0, 4)]]
    assert recipe(*parts, method="slerp", base_model="a", parameters={"t": [0.0, 1.0]}) == 0
    assert layers() == pytest.approx([1.0, 11 + 2 / 3, 21 + 4 / 3, 33.0])


@pytest.mark.parametrize(
    ("slices", "changes", "message"),
    [
        ([[source("a", 0, 5)]], {}, "a[0:5]: a has 4 layers"),
        ([[source("a", 2, 2)]], {}, "`layer_range: [first, last + 1]`, not "),
        ([[{"model": "a"}]], {}, "a source must have `model` and `layer_range"),
        ([[]], {}, "a slice must have `sources`"),
        ([[source("a", 0, 2), source("b", 0, 2)]], {}, "passthrough copies one model, not 2"),
        ([[source("a", 0, 2), source("b", 0, 1)]], {"method": "linear"}, "a[0:2], b[0:1] are merged, and must have as"),
        ([[source("a", 0, 1)], [source("a", 0, 1), source("b", 0, 1)]], {"method": "linear"}, "not 1 and 2"),
        ([[source("a", 0, 1), source("a", 0, 1)]], {"method": "linear"}, "lists the same layers of one model twice"),
        (
            [[source("a", 0, 1), source("b", 0, 1)]],
            {"method": "ties", "base_model": "base"},
            "needs the experts' common",
        ),
        ([[source("a", 0, 1, density=0.5)]], {}, "`density` of one model alone is not merged here, only its `scale`"),
    ],
)
def test_slices_that_do_not_fit_are_one_line(here, capsys, slices, changes, message):
    assert recipe(*slices, **changes) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not Path("out").exists()


def test_slices_of_a_config_without_layers_are_refused(here, capsys):
    Path("a/config.json").write_text("{}")
    assert recipe([source("a", 0, 1)]) == 2
    assert "the config.json of a has none of num_hidden_layers, n_layer" in capsys.readouterr().err
    assert not Path("out").exists()


def test_slices_of_an_encoder_decoder_are_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    config = T5Config(vocab_size=11, d_model=8, d_kv=4, d_ff=8, num_layers=2, num_heads=2)
    AutoModelForSeq2SeqLM.from_config(config).save_pretrained("a")
    assert recipe([source("a", 0, 1)]) == 2
    message = (
        "a has 2 stacks of layers (decoder.block, encoder.block), so that a slice's `layer_range` has no one meaning"
    )
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("kind", [LlamaConfig, Qwen2Config])
def test_slices_of_real_models_load_and_answer_as_their_layers(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(kind(**SIZES, num_key_value_heads=2)).eval()
    model.save_pretrained("a")
    assert recipe([source("a", 0, 3)], [source("a", 2, 4)]) == 0
    stacked, report = AutoModelForCausalLM.from_pretrained("out", output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert stacked.config.num_hidden_layers == 5
    for layer, origin in enumerate((0, 1, 2, 2, 3)):
        for name, tensor in stacked.model.layers[layer].state_dict().items():
            assert torch.equal(tensor, model.model.layers[origin].state_dict()[name])


@pytest.mark.parametrize("name", ["slerp_slices", "ties_density", "ties_same_density", "int8", "dare"])
def test_slices_match_mergekit(tmp_path, monkeypatch, name):
    if not CASES.exists():
        pytest.skip("the public cases (../shared/cases) are not beside this checkout")
    monkeypatch.chdir(CASES)
    assert main([f"{name}.yaml", str(tmp_path / "out")]) == 0
    expected = load_file(f"expected/{name}/model.safetensors")
    found = load_file(tmp_path / "out" / "model.safetensors")
    assert expected.keys() == found.keys()
    for tensor, reference in expected.items():
        torch.testing.assert_close(found[tensor], reference, atol=1e-6, rtol=0)
