"""Tensors that one model stores and another leaves out: copies of tied ones, and what models compute anew."""

from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from dfwe.combine import main
from dfwe.errors import MergeError
from dfwe.merging.files.merge_files import merge_files
from dfwe.merging.files.recipe_of_method import recipe_of_method

SHAPE = {"vocab_size": 32, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
KINDS = {
    "llama": (
        "LlamaForCausalLM",
        {
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "tie_word_embeddings": True,
        },
    ),
    "t5": ("T5ForConditionalGeneration", {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}),
    "gpt2": ("GPT2LMHeadModel", {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 8}),
    "gpt_neox": (
        "GPTNeoXForCausalLM",
        {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2},
    ),
    "bert": (
        "BertForMaskedLM",
        {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2},
    ),
}


def write(kind):
    """Two models of that kind, in the folders a and b."""
    name, settings = KINDS[kind]
    cls = getattr(transformers, name)
    for seed, folder in enumerate("ab"):
        torch.manual_seed(seed)
        cls(cls.config_class(**SHAPE, **settings)).save_pretrained(folder)
    return cls


def change(tensors):
    """Put these tensors into b."""
    content = load_file("b/model.safetensors") | {name: tensor.clone() for name, tensor in tensors.items()}
    save_file(content, "b/model.safetensors", metadata={"format": "pt"})


def llama_head(b):
    return {"lm_head.weight": b["model.embed_tokens.weight"]}


def inverse_frequencies(b):
    return {f"model.layers.{layer}.self_attn.rotary_emb.inv_freq": torch.tensor([1.0, 0.1]) for layer in range(2)}


def t5_aliases(b):
    return {f"{side}.embed_tokens.weight": b["shared.weight"] for side in ("encoder", "decoder")}


def t5_all(b):
    return t5_aliases(b) | {"lm_head.weight": b["shared.weight"]}


def gpt2_masks(b):
    masks = {f"transformer.h.{layer}.attn.bias": torch.ones(1, 1, 8, 8).tril().bool() for layer in range(2)}
    return masks | {f"transformer.h.{layer}.attn.masked_bias": torch.tensor(-1e4) for layer in range(2)}


def gpt_neox_masks(b):
    masks = {
        f"gpt_neox.layers.{layer}.attention.bias": torch.ones(1, 1, 8, 8).tril().to(torch.uint8) for layer in (0, 1)
    }
    return masks | {"gpt_neox.layers.0.attention.masked_bias": torch.tensor(-1e9)}


def bert_copies(b):
    decoder = "cls.predictions.decoder"
    weights = {f"{decoder}.weight": b["bert.embeddings.word_embeddings.weight"]}
    return weights | {f"{decoder}.bias": b["cls.predictions.bias"], "bert.embeddings.position_ids": torch.arange(9)}


STORED = [
    ("llama", llama_head),
    ("llama", inverse_frequencies),
    ("t5", t5_aliases),
    ("t5", t5_all),
    ("gpt2", gpt2_masks),
    ("gpt_neox", gpt_neox_masks),
    ("bert", bert_copies),
]


@pytest.mark.parametrize("order", ["ab", "ba"])
@pytest.mark.parametrize(("kind", "stored"), STORED)
def test_stored_copies_of_one_model_are_left_out(tmp_path, monkeypatch, kind, stored, order):
    monkeypatch.chdir(tmp_path)
    cls = write(kind)
    weights = [load_file(f"{folder}/model.safetensors") for folder in "ab"]
    change(stored(weights[1]))
    assert main(["linear", *order, "--out", "merged"]) == 0
    merged = load_file("merged/model.safetensors")
    assert merged.keys() == weights[0].keys()
    for name, tensor in merged.items():
        assert torch.allclose(tensor, (weights[0][name] + weights[1][name]) / 2, atol=1e-7)
    _, info = cls.from_pretrained("merged", output_loading_info=True)
    assert not info["missing_keys"]


def test_tied_tensors_under_different_names_are_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("t5")
    a, b = (load_file(f"{folder}/model.safetensors") for folder in "ab")
    without = {name: tensor for name, tensor in b.items() if name != "shared.weight"}
    save_file(without | {name: tensor.clone() for name, tensor in t5_aliases(b).items()}, "b/model.safetensors")
    assert main(["linear", "a", "b", "--out", "merged"]) == 0
    merged = load_file("merged/model.safetensors")
    assert merged.keys() == a.keys()
    assert torch.allclose(merged["shared.weight"], (a["shared.weight"] + b["shared.weight"]) / 2, atol=1e-7)


@pytest.mark.parametrize(
    ("kind", "name", "original"),
    [
        ("llama", "lm_head.weight", "model.embed_tokens.weight"),
        ("t5", "encoder.embed_tokens.weight", "shared.weight"),
    ],
)
def test_copy_that_differs_from_the_original_is_refused(tmp_path, monkeypatch, kind, name, original):
    monkeypatch.chdir(tmp_path)
    write(kind)
    change({name: 1 + load_file("b/model.safetensors")[original]})
    recipe = recipe_of_method("linear", ["a", "b"])
    with pytest.raises(MergeError, match=f"b stores '{name}' with other values than '{original}', to which it is tied"):
        merge_files(recipe, out=Path("merged"))
    assert not Path("merged").exists()


def test_masked_biases_of_all_models_are_left_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("gpt_neox")
    name = "gpt_neox.layers.0.attention.masked_bias"
    for folder in "ab":
        weights = load_file(f"{folder}/model.safetensors")
        save_file(weights | {name: torch.tensor(-1e9).half()}, f"{folder}/model.safetensors")
    assert main(["linear", "a", "b", "--out", "merged"]) == 0
    assert load_file("merged/model.safetensors").keys() == weights.keys()


def test_bias_that_is_not_a_mask_is_no_computed_tensor(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("gpt2")
    change({"transformer.h.0.attn.bias": torch.rand(1, 1, 8, 8)})
    with pytest.raises(MergeError, match="a lacks the tensor 'transformer.h.0.attn.bias'"):
        merge_files(recipe_of_method("linear", ["a", "b"]), out=Path("merged"))


def test_all_names_behind_a_prefix_are_a_wrappers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("llama")
    content = load_file("b/model.safetensors")
    save_file({f"_orig_mod.{name}": tensor for name, tensor in content.items()}, "b/model.safetensors")
    with pytest.raises(MergeError, match="a wrapper's '_orig_mod.' stands before the names"):
        merge_files(recipe_of_method("linear", ["a", "b"]), out=Path("merged"))
