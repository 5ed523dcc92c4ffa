"""Factors beside frozen weights: what is trained, what is saved, and what PEFT makes of it."""

import copy
import json
from contextlib import nullcontext

import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from dfwe.errors import ModelError
from dfwe.families.fast.dropout import LightDropout
from dfwe.families.text.lightning_module import checkpoint_gradients
from dfwe.merging.expert_array import load_weights
from dfwe.models.adapters import ADAPTER
from dfwe.models.lora import Lora, load_lora, merged, save_lora, save_lora_config

peft = pytest.importorskip("peft", reason="the extra lora is not installed")

IDS = torch.arange(12).view(2, 6)


def llama(*, tied=True):
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
    return LlamaForCausalLM(LlamaConfig(vocab_size=40, tie_word_embeddings=tied, **sizes)).eval()


def gpt2():
    torch.manual_seed(0)
    sizes = {"n_layer": 1, "n_embd": 16, "n_head": 2, "vocab_size": 40}
    return GPT2LMHeadModel(GPT2Config(bos_token_id=0, eos_token_id=0, **sizes)).eval()


def lora(targets="all-linear", **settings):
    return Lora(**{"rank": 4, "alpha": 6.0, "dropout": 0.0, "rslora": False, "targets": targets, **settings})


def drawn(network, *, of, seed=1):
    """The network with factors that are all drawn, B as well."""
    of.add_factors(network, seed=seed)
    generator = torch.Generator().manual_seed(2)
    for parameter in network.parameters():
        if parameter.requires_grad:
            parameter.data.copy_(torch.randn(parameter.shape, generator=generator) / 10)
    return network


def saved(network, folder):
    folder.mkdir(exist_ok=True)
    save_lora(network, folder / ADAPTER)
    save_lora_config(network, folder)
    return folder


def test_only_factors_are_trained_and_begin_at_the_base():
    network, base = llama(), llama()
    lora().add_factors(network, seed=1)
    trained = [name for name, parameter in network.named_parameters() if parameter.requires_grad]
    assert len(trained) == 2 * 7 * 2
    assert all(".lora_A." in name or ".lora_B." in name for name in trained)
    assert torch.equal(network(IDS).logits, base(IDS).logits)


def test_factors_are_drawn_by_the_seed_alone():
    factors = []
    for seed in (1, 1, 2):
        network = llama()
        torch.rand(seed)  # what was drawn before must not matter
        before = torch.get_rng_state()
        lora().add_factors(network, seed=seed)
        assert torch.equal(torch.get_rng_state(), before)
        factors.append(network.model.layers[0].self_attn.q_proj.lora_A["default"].weight)
    assert torch.equal(factors[0], factors[1])
    assert not torch.equal(factors[0], factors[2])


@pytest.mark.parametrize(
    ("build", "settings"),
    [
        (llama, {}),
        (llama, {"rslora": True, "targets": ("q_proj", "mlp.down_proj")}),
        (llama, {"targets": r".*\.v_proj"}),
        (lambda: llama(tied=False), {"targets": ["embed_tokens", "lm_head"]}),
        (gpt2, {}),  # which stores its matrices transposed, square ones among them
    ],
)
def test_saved_factors_are_pefts_and_merge_as_pefts(build, settings, tmp_path):
    network = drawn(build(), of=lora(**settings))
    folder = saved(network, tmp_path / "a")
    theirs = peft.PeftModel.from_pretrained(build(), folder).eval()
    torch.testing.assert_close(theirs(IDS).logits, network(IDS).logits, rtol=0, atol=0)
    plain = build()
    load_weights(plain, folder, name="a")
    for name, tensor in theirs.merge_and_unload().state_dict().items():
        torch.testing.assert_close(plain.state_dict()[name], tensor, rtol=1e-6, atol=1e-7)
    assert torch.equal(plain(IDS).logits.argmax(-1), network(IDS).logits.argmax(-1))


def test_merged_network_is_the_loaded_one_and_comes_back(tmp_path):
    network, plain = drawn(llama(), of=lora()), llama()
    load_weights(plain, saved(network, tmp_path / "a"), name="a")
    before = copy.deepcopy(network.state_dict())
    with merged(network) as whole, torch.inference_mode():
        assert [*dict(whole.named_parameters())] == [*dict(plain.named_parameters())]
        assert all(torch.equal(whole.state_dict()[name], tensor) for name, tensor in plain.state_dict().items())
    assert before.keys() == network.state_dict().keys()
    assert all(torch.equal(network.state_dict()[name], tensor) for name, tensor in before.items())


def test_merged_network_comes_back_after_an_error():
    network = drawn(llama(), of=lora())
    before = network(IDS).logits
    with pytest.raises(KeyError), merged(network):
        raise KeyError
    assert torch.equal(network(IDS).logits, before)


def test_saved_factors_are_loaded_as_they_were(tmp_path):
    network, other = drawn(llama(), of=lora()), llama()
    lora().add_factors(other, seed=5)
    load_lora(other, saved(network, tmp_path / "a") / ADAPTER)
    assert all(torch.equal(other.state_dict()[name], tensor) for name, tensor in network.state_dict().items())


def test_adapter_config_is_the_same_in_every_process(tmp_path):
    network = drawn(llama(), of=lora())
    content = json.loads((saved(network, tmp_path / "a") / "adapter_config.json").read_text())
    assert content["target_modules"] == sorted(content["target_modules"])  # PEFT has a set
    assert (content["r"], content["lora_alpha"], content["base_model_name_or_path"]) == (4, 6.0, None)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (["q_proj", "nothing"], "the model has no module 'nothing': choose among .*down_proj, .*q_proj"),
        (["roj"], "the model has no module 'roj'"),
        ("nothing", "model.lora.targets=nothing: Target modules nothing not found in the base model"),
        (["norm"], r"model.lora.targets=\['norm'\]: Target module LlamaRMSNorm.* is not supported"),
        (["embed_tokens"], "model.embed_tokens shares its weight with lm_head"),
    ],
)
def test_targets_that_cannot_be_are_refused(targets, message):
    with pytest.raises(ModelError, match=message):
        lora(targets).add_factors(llama(), seed=1)


def test_missing_peft_is_said_in_one_line(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"'peft' .* is not installed: run `pip install 'dfwe\[lora\]'`"):
        lora().check_installed()


@pytest.mark.parametrize("light", [False, True])
def test_checkpointing_gives_the_same_gradients(light):
    gradients = []
    for checkpointing in (False, True):
        network = drawn(llama(), of=lora(dropout=0.2)).train()
        if checkpointing:
            checkpoint_gradients(network, light_dropout=light)
        torch.manual_seed(0)
        with LightDropout() if light else nullcontext():
            loss = network(IDS, labels=IDS).loss
        loss.backward()
        gradients.append({name: p.grad for name, p in network.named_parameters() if p.requires_grad})
    for name, gradient in gradients[0].items():
        assert gradient.abs().sum() > 0, name
        torch.testing.assert_close(gradients[1][name], gradient)


def test_merged_models_are_exported_plain(tmp_path):
    network, plain = drawn(llama(), of=lora()), llama()
    load_weights(plain, saved(network, tmp_path / "a"), name="a")
    plain.save_pretrained(tmp_path / "b")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "b")
    assert not isinstance(again, peft.PeftModel)
    assert torch.equal(again(IDS).logits, plain(IDS).logits)
