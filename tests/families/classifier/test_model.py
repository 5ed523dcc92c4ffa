"""Classifiers: one encoder, a sequence-classification head per task."""

import pytest
import torch
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    GPT2Config,
    GPT2Model,
    LlamaConfig,
    RobertaConfig,
    RobertaModel,
    XLNetConfig,
    XLNetModel,
    pipeline,
)

from dfwe.errors import MergeError, ModelError
from dfwe.families.classifier.model import _drawn_head, load_classifier, output_layer
from dfwe.families.encoder.model import HEADS
from dfwe.families.tokens import num_positions
from dfwe.merging.expert_array import Layout, copy_weights, flatten, load_experts, load_weights, save_weights

ANSWERS = {"mood": ("bad", "good", "mixed"), "alike": ()}


@pytest.fixture
def model(tiny_bert):
    return load_classifier(tiny_bert, answers=ANSWERS, seed=3)


@pytest.fixture(scope="module")
def tokenizer(tiny_bert):
    return AutoTokenizer.from_pretrained(tiny_bert)


def test_a_task_cannot_be_called_as_what_modules_have(tiny_bert):
    with pytest.raises(ModelError, match="a task with a head cannot be called 'train'"):
        load_classifier(tiny_bert, answers={"train": ("bad", "good")}, seed=0)


@pytest.mark.parametrize(("kin", "most"), [(RobertaConfig, 38), (GPT2Config, 40), (LlamaConfig, None)])
def test_learnt_positions_are_counted(kin, most):
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 60}
    assert num_positions(AutoModel.from_config(kin(**shape, max_position_embeddings=40))) == most


def test_a_text_longer_than_the_positions_is_one_line(model):
    ids = torch.ones(1, num_positions(model.encoder) + 1, dtype=torch.int64)
    with pytest.raises(ModelError, match=r"a text has \d+ tokens, and the model \d+ positions: set model.max_source"):
        model({"task": "mood", "input_ids": ids, "attention_mask": ids})


def batch_of(tokenizer, task, *texts):
    return {"task": task, **tokenizer(list(texts), padding=True, return_tensors="pt")}


def test_forward_batch_task_chooses_head(model, tokenizer):
    texts = ["a merry tale", "the kettle is warm"]
    assert model(batch_of(tokenizer, "mood", *texts)).shape == (2, 3)
    assert model(batch_of(tokenizer, "alike", *texts)).shape == (2, 1)


def test_forward_unknown_task_names_heads(model, tokenizer):
    with pytest.raises(ModelError, match="no head for task 'tone': the model has heads for mood, alike"):
        model(batch_of(tokenizer, "tone", "a merry tale"))


def test_forward_embeddings_give_same_outputs(model, tokenizer):
    batch = batch_of(tokenizer, "mood", "a merry tale", "the kettle is warm")
    assert torch.allclose(model(batch, embeddings=model.embed(batch)), model(batch), atol=1e-6)


def test_parameters_encoder_is_named_once(model):
    names = [name for name, _ in model.named_parameters()]
    heads = [name for name in names if not name.startswith("encoder.")]
    assert heads == [f"heads.{task}.network.classifier.{part}" for task in ANSWERS for part in ("weight", "bias")]
    assert len(set(names)) == len(names)


def test_heads_are_independent_of_other_tasks(tiny_bert, model):
    alone = load_classifier(tiny_bert, answers={"alike": ()}, seed=3)
    torch.testing.assert_close(alone.network("alike").classifier.weight, model.network("alike").classifier.weight)
    other = load_classifier(tiny_bert, answers={"alike": ()}, seed=4)
    assert not torch.equal(other.network("alike").classifier.weight, alone.network("alike").classifier.weight)


def test_a_head_is_drawn_once(tiny_bert, model):
    drawn = _drawn_head.cache_info().misses
    again = load_classifier(tiny_bert, answers=ANSWERS, seed=3)
    assert _drawn_head.cache_info().misses == drawn
    assert all(torch.equal(again.state_dict()[name], tensor) for name, tensor in model.state_dict().items())


def test_load_leaves_global_generator(tiny_bert):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    load_classifier(tiny_bert, answers=ANSWERS, seed=3)
    assert torch.equal(torch.rand(1), expected)


def test_encoder_weights_are_those_of_folder(tiny_bert, model):
    from transformers import AutoModel

    plain = AutoModel.from_pretrained(tiny_bert).state_dict()
    assert all(torch.equal(plain[name], tensor) for name, tensor in model.encoder.state_dict().items())


def test_weights_survive_file_and_flattening(tiny_bert, model, tokenizer, tmp_path):
    batch = batch_of(tokenizer, "mood", "the broth is mild")
    before = model(batch)
    save_weights(model, tmp_path / "weights.safetensors")
    flat = flatten(model)
    assert torch.equal(model(batch), before)
    flat.zero_()
    assert not torch.equal(model(batch), before)
    load_weights(model, tmp_path / "weights.safetensors", name="expert")
    assert torch.equal(model(batch), before)
    fresh = load_classifier(tiny_bert, answers=ANSWERS, seed=9)
    copy_weights(fresh, Layout.of(model).views(flat))
    assert torch.equal(fresh(batch), before)


def test_load_weights_of_other_task_keeps_own_head(tiny_bert, model, tmp_path):
    source = load_classifier(tiny_bert, answers={"alike": ()}, seed=8)
    torch.nn.init.ones_(source.encoder.pooler.dense.bias)
    save_weights(source, tmp_path / "weights.safetensors")
    alone = load_classifier(tiny_bert, answers={"mood": ANSWERS["mood"]}, seed=3)
    load_weights(alone, tmp_path / "weights.safetensors", name="expert", optional_prefix=HEADS)
    assert torch.equal(alone.encoder.pooler.dense.bias, torch.ones(16))
    assert torch.equal(alone.network("mood").classifier.weight, model.network("mood").classifier.weight)


def test_load_experts_without_target_head_is_refused(tiny_bert, model, tmp_path):
    save_weights(load_classifier(tiny_bert, answers={"alike": ()}, seed=8), tmp_path / "weights.safetensors")
    alone = load_classifier(tiny_bert, answers={"mood": ANSWERS["mood"]}, seed=3)
    with pytest.raises(MergeError, match="lacks the tensor 'heads.mood.network.classifier.weight'"):
        load_experts({"e": tmp_path / "weights.safetensors"}, layout=Layout.of(alone), optional_prefix=HEADS)


def test_network_exports_plain_transformers_model(model, tokenizer, tmp_path):
    batch = batch_of(tokenizer, "mood", "the broth is mild")
    model.plain("mood").save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    assert loaded.config.id2label == {0: "bad", 1: "good", 2: "mixed"}
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids")}
    assert torch.allclose(loaded(**inputs).logits, model(batch), atol=1e-6)
    answer = pipeline("text-classification", model=str(tmp_path))("the broth is mild")[0]
    assert answer["label"] == model.head("mood").answers(model(batch))[0]


def test_decoder_gets_the_tokenizers_padding(tokenizer, tmp_path):
    shape = {"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 32}
    GPT2Model(GPT2Config(vocab_size=len(tokenizer), **shape)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    model = load_classifier(tmp_path, answers=ANSWERS, seed=3)
    assert model(batch_of(tokenizer, "mood", "a merry tale", "the kettle is warm")).shape == (2, 3)


def test_roberta_head_layers_are_fresh_and_pooler_left_out(tiny_bert, tmp_path):
    config = RobertaConfig(
        vocab_size=300, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    RobertaModel(config).save_pretrained(tmp_path)
    model = load_classifier(tmp_path, answers=ANSWERS, seed=0)
    name, layer = output_layer(model.network("mood"))
    assert name == "classifier.out_proj"
    assert layer.out_features == 3
    assert not any("pooler" in name for name, _ in model.named_parameters())


def test_load_xlnet_is_refused(tmp_path):
    XLNetModel(XLNetConfig(vocab_size=50, d_model=8, n_layer=1, n_head=2, d_inner=8)).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="XLNet's heads read the last position"):
        load_classifier(tmp_path, answers=ANSWERS, seed=0)


def test_load_architecture_without_classifier_is_refused(tmp_path):
    from transformers import CLIPTextConfig, CLIPTextModel

    config = CLIPTextConfig(vocab_size=50, hidden_size=8, intermediate_size=16, num_hidden_layers=1)
    config.num_attention_heads = 2
    CLIPTextModel(config).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="Transformers has no sequence classifier of type 'clip_text_model'"):
        load_classifier(tmp_path, answers=ANSWERS, seed=0)
