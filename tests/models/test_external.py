"""Models from elsewhere: folders, files, checkpoints of Lightning's and adapters."""

import json
from functools import partial

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
)

from dfwe.errors import ModelError
from dfwe.merging.expert_array import load_weights
from dfwe.models.external import ExternalModel, copy_external, names_of, save_adapter
from dfwe.models.loading import load_weights_of


def llama(seed, *, tied=True):
    torch.manual_seed(seed)
    config = LlamaConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1, intermediate_size=32,
        vocab_size=40, tie_word_embeddings=tied,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


def copied(external, *, network=None):
    network = network or llama(0)
    copy_external(network, ExternalModel(str(external)), load=AutoModelForCausalLM.from_pretrained)
    return network


def same(network, other):
    mine, theirs = dict(network.named_parameters()), dict(other.named_parameters())
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("shard", ["50GB", "4KB"])
def test_a_folder_is_copied(tmp_path, tied, shard):
    llama(1, tied=tied).save_pretrained(tmp_path / "a", max_shard_size=shard)
    assert ExternalModel(str(tmp_path / "a")).form == "model"
    assert same(copied(tmp_path / "a", network=llama(0, tied=tied)), llama(1, tied=tied))


def test_an_encoder_decoder_is_copied(tiny_t5, model):
    network = AutoModelForSeq2SeqLM.from_pretrained(tiny_t5)
    for parameter in network.parameters():
        parameter.data.zero_()
    copy_external(network, ExternalModel(str(tiny_t5)), load=AutoModelForSeq2SeqLM.from_pretrained)
    assert same(network, model)


@pytest.mark.parametrize("prefix", ["", "_orig_mod.", "model.", "module.model.", "student.", "net.core."])
def test_a_file_is_copied_whatever_wrapped_the_model(tmp_path, prefix):
    tensors = {f"{prefix}{name}": tensor.clone() for name, tensor in llama(1).named_parameters()}
    save_file(tensors, tmp_path / "a.safetensors")
    assert ExternalModel(str(tmp_path / "a.safetensors")).form == "file"
    assert same(copied(tmp_path / "a.safetensors"), llama(1))


def test_a_wrappers_own_tensors_are_left_out(tmp_path):
    tensors = {f"student.{name}": tensor.clone() for name, tensor in llama(1).named_parameters()}
    save_file({**tensors, "loss.weight": torch.ones(2)}, tmp_path / "a.safetensors")
    assert same(copied(tmp_path / "a.safetensors"), llama(1))
    other = {name.replace("student", "teacher"): tensor.clone() for name, tensor in tensors.items()}
    save_file({**tensors, **other}, tmp_path / "b.safetensors")
    with pytest.raises(ModelError, match=r"holds 2 models \(student., teacher.\)"):
        copied(tmp_path / "b.safetensors")


def test_a_lightning_checkpoint_gives_its_weights_alone(tmp_path):
    state = {f"model.{name}": tensor for name, tensor in llama(1).state_dict().items()}
    torch.save({"state_dict": state, "epoch": 3, "optimizer_states": [{"lr": 0.1}]}, tmp_path / "a.ckpt")
    assert same(copied(tmp_path / "a.ckpt"), llama(1))


def test_a_checkpoint_with_objects_is_refused(tmp_path):
    torch.save({"state_dict": {}, "callbacks": ExternalModel("x")}, tmp_path / "a.ckpt")
    with pytest.raises(ModelError, match="cannot be read as weights alone .*if you trust the file, write its"):
        copied(tmp_path / "a.ckpt")


def test_a_stores_entry_is_a_file(tmp_path):
    save_file({name: tensor.clone() for name, tensor in llama(1).named_parameters()}, tmp_path / "weights.safetensors")
    assert ExternalModel(str(tmp_path)).form == "file"
    assert same(copied(tmp_path), llama(1))


@pytest.mark.parametrize("rank", [2, 4])
def test_an_adapter_is_added_by_its_product(tmp_path, rank):
    peft = pytest.importorskip("peft", reason="PEFT is not installed")
    config = peft.LoraConfig(r=rank, lora_alpha=3, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
    torch.manual_seed(5)
    peft.get_peft_model(llama(0), config).save_pretrained(tmp_path / "a")
    assert ExternalModel(str(tmp_path / "a")).form == "adapter"
    network = copied(tmp_path / "a")
    factors = load_file(tmp_path / "a" / "adapter_model.safetensors")
    base = dict(llama(0).named_parameters())
    for name, tensor in network.named_parameters():
        key = f"base_model.model.{name.removesuffix('.weight')}.lora_"
        product = factors[f"{key}B.weight"] @ factors[f"{key}A.weight"] * 3 / rank if f"{key}A.weight" in factors else 0
        assert torch.allclose(tensor, base[name] + product, atol=1e-6)
    assert sum(not torch.equal(tensor, base[name]) for name, tensor in network.named_parameters()) == 4


@pytest.mark.parametrize("targets", [["q_proj", "lm_head"], ["embed_tokens"]])
def test_a_saved_adapter_is_named_as_the_models_parameters(tmp_path, targets):
    peft = pytest.importorskip("peft", reason="PEFT is not installed")
    pattern = {"alpha_pattern": {"layers.0.self_attn.q_proj": 7}, "use_rslora": True}
    config = peft.LoraConfig(r=3, target_modules=targets, init_lora_weights=False, **pattern)
    peft.get_peft_model(llama(0), config).save_pretrained(tmp_path / "a", save_embedding_layers=False)
    network, holder = llama(0), torch.nn.ModuleDict()
    holder["inner"] = network  # as a family's model may have other names than Transformers'
    (tmp_path / "b").mkdir()
    assert save_adapter(network, ExternalModel(str(tmp_path / "a")), model=holder, folder=tmp_path / "b")
    load_weights(holder, tmp_path / "b" / "adapter_model.safetensors", name="b")
    assert same(network, copied(tmp_path / "a"))
    assert not same(network, llama(0))


def test_an_adapter_of_tied_tensors_both_is_not_saved(tmp_path):
    peft = pytest.importorskip("peft", reason="PEFT is not installed")
    config = peft.LoraConfig(r=3, target_modules=["lm_head", "embed_tokens"], init_lora_weights=False)
    peft.get_peft_model(llama(0), config).save_pretrained(tmp_path / "a", save_embedding_layers=False)
    network = llama(0)
    assert not save_adapter(network, ExternalModel(str(tmp_path / "a")), model=network, folder=tmp_path)
    assert not (tmp_path / "adapter_config.json").exists()


def test_an_adapter_of_another_base_is_refused(tmp_path):
    peft = pytest.importorskip("peft", reason="PEFT is not installed")
    wide = LlamaForCausalLM(LlamaConfig(**{**llama(0).config.to_dict(), "hidden_size": 32, "head_dim": 16}))
    peft.get_peft_model(wide, peft.LoraConfig(target_modules=["q_proj"])).save_pretrained(tmp_path / "a")
    with pytest.raises(ModelError, match="name the base model that it was trained on"):
        copied(tmp_path / "a")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda tensors: tensors.pop("model.norm.weight"), "lacks model.norm.weight"),
        (lambda tensors: tensors.update({"extra.weight": torch.zeros(2)}), "has extra.weight, which the base"),
        (lambda tensors: tensors.update({"model.norm.weight": torch.zeros(3)}), r"has the shape \[3\], .* has \[16\]"),
        (lambda tensors: tensors["model.norm.weight"].fill_(torch.nan), "NaN or infinite values in model.norm.weight"),
    ],
)
def test_weights_that_do_not_fit_are_named(tmp_path, change, match):
    tensors = {name: tensor.clone() for name, tensor in llama(1).named_parameters()}
    change(tensors)
    save_file(tensors, tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match=match):
        copied(tmp_path / "a.safetensors")


def test_recomputed_tensors_of_old_versions_are_passed_over(tmp_path):
    tensors = {name: tensor.clone() for name, tensor in llama(1).named_parameters()}
    tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
    save_file(tensors, tmp_path / "a.safetensors")
    assert same(copied(tmp_path / "a.safetensors"), llama(1))
    save_file({**tensors, "model.layers.9.c_attn.bias": torch.ones(4)}, tmp_path / "b.safetensors")
    with pytest.raises(ModelError, match=r"has model\.layers\.9\.c_attn\.bias, which the base"):
        copied(tmp_path / "b.safetensors")


@pytest.mark.parametrize(
    ("name", "match"), [("/no/such/model", "no folder or file"), ("notes.txt", "neither a folder")]
)
def test_what_is_not_a_model_is_refused(tmp_path, monkeypatch, name, match):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(ModelError, match=match):
        ExternalModel(name).form  # noqa: B018


def test_identity_changes_with_the_files(tmp_path):
    llama(1).save_pretrained(tmp_path)
    before = ExternalModel(str(tmp_path)).identity
    assert ExternalModel(str(tmp_path)).identity == before
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"rms_norm_eps": 1e-5}))
    assert ExternalModel(str(tmp_path)).identity != before


@pytest.mark.parametrize(
    ("models", "names"),
    [
        (["a/best", "b/best"], ["a-best", "b-best"]),
        (["x/one", "y/two/"], ["one", "two"]),
        (["org/model 1", "w.safetensors"], ["model_1", "w"]),
    ],
)
def test_names_are_the_last_parts_that_differ(models, names):
    assert names_of(models) == dict(zip(names, models, strict=True))


def test_one_model_twice_is_refused():
    with pytest.raises(ModelError, match="two experts are the same"):
        names_of(["a/best", "a/best/"])


def tied_gpt2(folder, **stored):
    """A tiny GPT-2 in that folder, whose file stores these tensors, too."""
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=16, n_embd=8, n_layer=1, n_head=2, n_positions=4))
    model.save_pretrained(folder)
    tensors = load_file(folder / "model.safetensors") | stored
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return model


def test_stored_masks_and_equal_copies_are_no_misfit(tmp_path):
    plain = tied_gpt2(tmp_path / "plain")
    mask = torch.ones(1, 1, 4, 4).tril().bool()
    stored = {"transformer.h.0.attn.bias": mask, "transformer.h.0.attn.masked_bias": torch.tensor(-1e4)}
    tied_gpt2(tmp_path / "old", **stored, **{"lm_head.weight": plain.lm_head.weight.detach().clone()})
    network = GPT2LMHeadModel(plain.config)
    load = partial(load_weights_of, AutoModelForCausalLM)
    copy_external(network, ExternalModel(str(tmp_path / "old")), load=load)
    assert torch.equal(network.lm_head.weight, plain.lm_head.weight)


def test_copy_that_differs_from_what_it_is_tied_to_is_refused(tmp_path):
    plain = tied_gpt2(tmp_path / "plain")
    tied_gpt2(tmp_path / "other", **{"lm_head.weight": plain.lm_head.weight.detach() + 1})
    load = partial(load_weights_of, AutoModelForCausalLM)
    with pytest.raises(ModelError, match="other has other values in (lm_head.weight|transformer.wte.weight) than in"):
        copy_external(GPT2LMHeadModel(plain.config), ExternalModel(str(tmp_path / "other")), load=load)
