"""dfwe merge on six architectures from their configurations: one file, shards, bfloat16, LoRA."""

from pathlib import Path

import pytest
import torch
import transformers as hf
import yaml
from safetensors.torch import load_file

from dfwe.combine import main

VOCABULARY = 23
LLAMA = {
    "vocab_size": VOCABULARY, "hidden_size": 8, "intermediate_size": 12, "num_attention_heads": 2,
    "num_key_value_heads": 1, "num_hidden_layers": 2,
}  # fmt: skip
BERT = {name: value for name, value in LLAMA.items() if name != "num_key_value_heads"}
BART = {
    f"{side}_{name}": value
    for side in ("encoder", "decoder")
    for name, value in (("layers", 2), ("ffn_dim", 12), ("attention_heads", 2))
}
MODELS = {  # with the modules that a LoRA adapts
    "t5": (
        hf.T5ForConditionalGeneration,
        hf.T5Config(vocab_size=VOCABULARY, d_model=8, d_kv=4, d_ff=12, num_layers=2, num_heads=2),
        ["q", "v"],
    ),
    "bart": (
        hf.BartForConditionalGeneration,
        hf.BartConfig(vocab_size=VOCABULARY, d_model=8, max_position_embeddings=16, **BART),
        ["q_proj", "v_proj"],
    ),
    "bert": (
        hf.BertForSequenceClassification,
        hf.BertConfig(**BERT),
        ["query", "value"],
    ),
    "gpt2": (
        hf.GPT2LMHeadModel,
        hf.GPT2Config(vocab_size=VOCABULARY, n_embd=8, n_layer=2, n_head=2, n_positions=16),
        ["c_attn", "c_proj"],
    ),
    "llama": (hf.LlamaForCausalLM, hf.LlamaConfig(**LLAMA), ["q_proj", "v_proj"]),
    "qwen2": (hf.Qwen2ForCausalLM, hf.Qwen2Config(**LLAMA), ["q_proj", "embed_tokens"]),
}  # fmt: skip
WEIGHTS = {"a": 0.3, "b": 0.7}


def build(name, *, seed):
    kind, config, _ = MODELS[name]
    torch.manual_seed(seed)
    model = kind(config)
    with torch.no_grad():  # biases, too
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return model


def save(name, form):
    """Save the experts in that form; return their weights by name, as they are in Transformers."""
    experts = {}
    if form == "lora":
        return save_adapters(name)
    for seed, folder in enumerate(WEIGHTS):
        model = build(name, seed=seed)
        if form == "bfloat16":
            model = model.bfloat16()
        model.save_pretrained(folder, max_shard_size="2KB" if form == "shards" else "1GB")
        assert Path(folder, "model.safetensors.index.json").exists() == (form == "shards")
        experts[folder] = {key: tensor.float() for key, tensor in model.state_dict().items()}
    return experts


def save_adapters(name):
    peft = pytest.importorskip("peft", reason="peft merges the adapters that ours are compared with")
    build(name, seed=0).save_pretrained("base")
    experts = {}
    for seed, folder in enumerate(WEIGHTS, start=1):
        torch.manual_seed(seed)
        config = peft.LoraConfig(r=2, lora_alpha=3, target_modules=MODELS[name][2], init_lora_weights=False)
        adapted = peft.get_peft_model(build(name, seed=0), config)
        adapted.peft_config["default"].base_model_name_or_path = "base"
        adapted.save_pretrained(folder, save_embedding_layers=False)
        experts[folder] = adapted.merge_and_unload().state_dict()
    return experts


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("form", ["file", "shards", "bfloat16", "lora"])
@pytest.mark.parametrize("name", MODELS)
def test_combine_architecture_is_the_weighted_sum(here, name, form):
    experts = save(name, form)
    models = [{"model": folder, "parameters": {"weight": weight}} for folder, weight in WEIGHTS.items()]
    Path("recipe.yaml").write_text(yaml.safe_dump({"merge_method": "linear", "models": models}))
    assert main(["recipe.yaml", "out"]) == 0
    kind, _, _ = MODELS[name]
    merged, report = kind.from_pretrained("out", output_loading_info=True)
    assert not {*report["missing_keys"], *report["unexpected_keys"]}
    tolerance = {"atol": 0.02, "rtol": 2**-7} if form == "bfloat16" else {"atol": 1e-6, "rtol": 1e-5}
    for key, tensor in merged.state_dict().items():
        expected = sum(weight * experts[folder][key] for folder, weight in WEIGHTS.items())
        torch.testing.assert_close(tensor.float(), expected, **tolerance)
    stored = {tensor.dtype for tensor in load_file("out/model.safetensors").values()}
    assert stored == {torch.bfloat16 if form == "bfloat16" else torch.float32}
    assert merged.dtype in stored


@pytest.mark.parametrize("name", MODELS)
def test_combine_adapters_on_their_base_are_task_vectors(here, name):
    experts = save(name, "lora")
    arguments = ["task_arithmetic", "base+a", "b", "--base", "base", "--weights", "1", "1", "--out", "out"]
    assert main(arguments) == 0
    base, out = build(name, seed=0).state_dict(), load_file("out/model.safetensors")
    for key, tensor in out.items():
        expected = experts["a"][key] + experts["b"][key] - base[key]
        torch.testing.assert_close(tensor, expected, atol=1e-5, rtol=1e-5)
