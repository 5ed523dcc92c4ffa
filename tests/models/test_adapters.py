"""LoRA adapters on their base models, by hand and against PEFT."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification

from dfwe.errors import ModelError
from dfwe.models.adapters import AdaptedCheckpoint, adapter_base, adapter_folder
from dfwe.models.checkpoint import Checkpoint

FACTORS = {"lora_A.weight": torch.tensor([[1.0, 2.0, 3.0]]), "lora_B.weight": torch.tensor([[1.0], [10.0]])}
PRODUCT = torch.tensor([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def adapter(tensors=None, *, base=None, **config):
    for folder in ("base", "lora"):
        Path(folder).mkdir(exist_ok=True)
    save_file(base or {"x.q.weight": torch.ones(2, 3), "x.norm": torch.zeros(2)}, "base/model.safetensors")
    tensors = (
        {f"base_model.model.x.q.{name}": tensor for name, tensor in FACTORS.items()} if tensors is None else tensors
    )
    save_file(tensors, "lora/adapter_model.safetensors")
    content = {"peft_type": "LORA", "lora_alpha": 4, "r": 1, "base_model_name_or_path": "base", **config}
    Path("lora/adapter_config.json").write_text(json.dumps(content))
    return AdaptedCheckpoint(Checkpoint(Path("base")), Path("lora"))


@pytest.mark.parametrize(
    ("config", "scale"),
    [
        ({}, 4.0),
        ({"use_rslora": True}, 4.0),
        ({"alpha_pattern": {"q": 6}}, 6.0),
        ({"alpha_pattern": {"y.q": 6, "x.q": 8}}, 8.0),
        ({"alpha_pattern": {"k": 6}}, 4.0),
    ],
)
def test_adapter_product_is_added_with_its_scale(here, config, scale):
    model = adapter(**config)
    torch.testing.assert_close(model.tensor("x.q.weight"), 1.0 + scale * PRODUCT)
    assert torch.equal(model.tensor("x.norm"), torch.zeros(2))
    assert model.names == {"x.q.weight", "x.norm"}


def test_adapter_rank_is_the_factors_own(here):
    factors = {"lora_A.weight": torch.ones(4, 3), "lora_B.weight": torch.ones(2, 4)}
    tensors = {f"base_model.model.x.q.{name}": tensor for name, tensor in factors.items()}
    model = adapter(tensors, r=16, rank_pattern={"q": 4})
    torch.testing.assert_close(model.tensor("x.q.weight"), torch.full((2, 3), 1.0 + 4.0 / 4 * 4))
    rooted = adapter(tensors, r=16, rank_pattern={"q": 4}, use_rslora=True)
    torch.testing.assert_close(rooted.tensor("x.q.weight"), torch.full((2, 3), 1.0 + 4.0 / 2 * 4))


def test_adapter_of_a_turned_layer_or_embedding_is_turned(here):
    base = {"x.q.weight": torch.ones(3, 2)}
    assert torch.equal(adapter(base=base, fan_in_fan_out=True).tensor("x.q.weight"), 1.0 + 4.0 * PRODUCT.T)
    tensors = {
        "base_model.model.x.q.lora_embedding_A": FACTORS["lora_A.weight"],
        "base_model.model.x.q.lora_embedding_B": FACTORS["lora_B.weight"],
    }
    assert torch.equal(adapter(tensors, base=base).tensor("x.q.weight"), 1.0 + 4.0 * PRODUCT.T)


def test_adapter_of_a_matrix_in_embeddings_is_not_turned(here):
    tensors = {f"base_model.model.embeddings.project.{name}": tensor for name, tensor in FACTORS.items()}
    model = adapter(tensors, base={"embeddings.project.weight": torch.ones(2, 3)})
    assert torch.equal(model.tensor("embeddings.project.weight"), 1.0 + 4.0 * PRODUCT)


def test_adapter_product_is_of_float32_for_a_small_base(here):
    base = {"x.q.weight": torch.ones(2, 3, dtype=torch.bfloat16)}
    tensors = {f"base_model.model.x.q.{name}": tensor / 1000 for name, tensor in FACTORS.items()}
    model = adapter(tensors, base=base)
    torch.testing.assert_close(model.tensor("x.q.weight"), 1.0 + 4.0 * PRODUCT / 1e6)
    assert model.spec("x.q.weight").dtype == torch.bfloat16


def test_adapter_names_may_have_the_class_before_them(here):
    assert torch.equal(adapter(base={"q.weight": torch.ones(2, 3)}).tensor("q.weight"), 1.0 + 4.0 * PRODUCT)
    assert torch.equal(adapter(base={"m.x.q.weight": torch.ones(2, 3)}).tensor("m.x.q.weight"), 1.0 + 4.0 * PRODUCT)


def test_adapter_whole_tensors_replace_the_bases(here):
    model = adapter({"base_model.model.x.norm": torch.full((2,), 7.0)}, modules_to_save=["norm"])
    assert torch.equal(model.tensor("x.norm"), torch.full((2,), 7.0))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"use_dora": True}, "lora is an adapter with DoRA, and plain LoRA alone is added here"),
        ({"peft_type": "IA3"}, "lora is an adapter with IA3"),
        ({"peft_type": None}, "lora is an adapter with NONE"),
        ({"lora_bias": True}, "biases of factors"),
        ({"layer_replication": [[0, 2]]}, "replicated layers"),
        ({"init_lora_weights": "pissa_niter_4"}, "which changes the base model's weights, too"),
        ({"lora_alpha": "4"}, "`lora_alpha` and `alpha_pattern` must be numbers"),
        ({"alpha_pattern": {"(": 4}}, "`alpha_pattern` must have regular expressions and numbers"),
        ({"base": {"y.q.weight": torch.ones(2, 3)}}, "lora changes 'x.q.weight', which base lacks"),
        ({"base": {"x.q.weight": torch.ones(2, 4)}}, r"make \[2, 3\], base has \[2, 4\] there"),
        ({"base": {"x.q.weight": torch.ones(2, 3, 1)}}, "not two matrices for a matrix"),
        ({"tensors": {"base_model.model.x.q.lora_A.weight": torch.ones(1, 3)}}, "not two matrices for a matrix"),
        ({"lora_alpha": 10**40}, "`lora_alpha` and `alpha_pattern` must be numbers"),
        ({"tensors": {"base_model.model.x.norm": torch.ones(3)}}, "lora has 'x.norm' in another shape than base"),
        ({"tensors": {"base_model.model.x.q.lora_magnitude_vector": torch.ones(2)}}, "lora changes"),
    ],
)
def test_adapter_that_does_not_fit_is_an_error(here, changes, message):
    with pytest.raises(ModelError, match=message):
        adapter(**changes)


def test_adapter_without_safetensors_is_an_error(here):
    adapter()
    Path("lora/adapter_model.safetensors").rename("lora/adapter_model.bin")
    with pytest.raises(ModelError, match=r"lora holds no adapter_model\.safetensors: save the adapter as safetensors"):
        AdaptedCheckpoint(Checkpoint(Path("base")), Path("lora"))


def test_adapter_folder_of_a_folder_with_a_model_is_none(here):
    adapter()
    assert adapter_base(Path("lora")) == Path("base")
    assert adapter_folder(Path("lora/adapter_model.safetensors")) == adapter_folder(Path("lora")) == Path("lora")
    assert adapter_folder(Path("base")) is None
    Path("lora/config.json").write_text("{}")
    assert adapter_folder(Path("lora")) is None


SIZES = {"vocab_size": 11, "hidden_size": 8, "intermediate_size": 12, "num_attention_heads": 2, "num_hidden_layers": 2}
SETTINGS = [
    {},
    {"use_rslora": True},
    {"rank_pattern": {"q_proj": 1, "layers.1.self_attn.v_proj": 4}},
    {"alpha_pattern": {"v_proj": 11, "layers.0.self_attn.q_proj": 7}},
    {"target_modules": ["q_proj", "embed_tokens"]},
    {"bias": "all"},
    {"use_rslora": True, "rank_pattern": {"^model.layers.0.self_attn.q_proj": 6}},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: "-".join(settings) or "plain")
def test_adapter_equals_pefts_merge(here, settings):
    peft = pytest.importorskip("peft", reason="peft merges the adapters that ours are compared with")
    torch.manual_seed(0)
    base = LlamaForCausalLM(LlamaConfig(**SIZES, attention_bias=True))
    base.save_pretrained("base")
    options = {"r": 3, "lora_alpha": 5, "target_modules": ["q_proj", "v_proj"], "init_lora_weights": False, **settings}
    adapted = peft.get_peft_model(base, peft.LoraConfig(**options))
    adapted.save_pretrained("lora", save_embedding_layers=False)
    model = AdaptedCheckpoint(Checkpoint(Path("base")), Path("lora"))
    for name, expected in adapted.merge_and_unload().state_dict().items():
        torch.testing.assert_close(model.tensor(name), expected, atol=1e-6, rtol=1e-6)
    assert not torch.equal(model.tensor("model.layers.0.self_attn.q_proj.weight"), load_base("q_proj"))


def test_adapter_with_a_head_of_its_own_equals_pefts(here):
    peft = pytest.importorskip("peft", reason="peft merges the adapters that ours are compared with")
    base = LlamaForSequenceClassification(LlamaConfig(**SIZES, num_labels=3))
    base.save_pretrained("base")
    config = peft.LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False, task_type="SEQ_CLS")
    adapted = peft.get_peft_model(base, config)
    with torch.no_grad():
        adapted.base_model.model.score.modules_to_save["default"].weight.fill_(2.0)
    adapted.save_pretrained("lora")
    model = AdaptedCheckpoint(Checkpoint(Path("base")), Path("lora"))
    assert torch.equal(model.tensor("score.weight"), torch.full((3, 8), 2.0))
    for name, expected in adapted.merge_and_unload().state_dict().items():
        torch.testing.assert_close(model.tensor(name), expected, atol=1e-6, rtol=1e-6)


def load_base(module):
    return load_file("base/model.safetensors")[f"model.layers.0.self_attn.{module}.weight"]
