"""Studies of experts whose tokenizers differ by added tokens."""

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, LlamaForCausalLM
from transformers import BertForSequenceClassification as Bert

from dfwe.config.compose import compose_study
from dfwe.errors import ConfigurationError, MergeError
from dfwe.families.causal_lm.weights import FreshLlama
from dfwe.families.encoder.weights import FreshBert
from dfwe.run_study import run_study
from dfwe.studies.plan import load_plan

TEXTS = ["I feel glad.", "That makes me furious.", "What is the emotion of the last line?"]
SHAPE = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1}
ENCODER = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
LABELS = ["anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise"]
SHORT = ["+target=meld", "merge=uniform", "report=false", "trainer.threads=1", "diagnostics=[]", "baselines=[]"]
ADDED = {"a": ["<x>", "<y>"], "b": ["<y>", "<z>"]}


@pytest.fixture
def arguments(tmp_path, monkeypatch, small_overrides):
    """Overrides of a study of two Llamas with added tokens, whose base model has none."""
    monkeypatch.chdir(tmp_path)
    FreshLlama(300, {**SHAPE, "intermediate_size": 32}).build(Path("base"), seed=0, texts=TEXTS)
    for seed, (name, tokens) in enumerate(ADDED.items(), start=1):
        torch.manual_seed(seed)
        model, words = LlamaForCausalLM.from_pretrained("base"), AutoTokenizer.from_pretrained("base")
        words.add_tokens(tokens)
        model.resize_token_embeddings(len(words))
        for parameter in model.parameters():
            parameter.data += 0.02 * parameter.data.std(correction=0) * torch.randn_like(parameter)
        model.save_pretrained(name)
        words.save_pretrained(name)
    data = [override for override in small_overrides if override.startswith("data.")]
    return [*SHORT, *data, "paths.store=store", "experts=[a,b]", "base_model=base"]


def row(folder, token):
    model, words = LlamaForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    return model.get_input_embeddings().weight[words.convert_tokens_to_ids(token)].detach()


def test_union_of_tokens_is_merged_by_token(arguments):
    run_study(compose_study([*arguments, "tokenizer=union"]), folder=Path("out"))
    merged, words = LlamaForCausalLM.from_pretrained("out/merged"), AutoTokenizer.from_pretrained("out/merged")
    base = AutoTokenizer.from_pretrained("base")
    assert len(words) == merged.config.vocab_size == len(base) + 3
    assert [words.convert_tokens_to_ids(token) - len(base) for token in ("<x>", "<y>", "<z>")] == [0, 1, 2]
    for token in (words.convert_ids_to_tokens(len(base) - 1), "<y>"):
        torch.testing.assert_close(row("out/merged", token), (row("a", token) + row("b", token)) / 2)
    for name, token in (("a", "<x>"), ("b", "<z>")):  # the other expert lacks it, and has this one's
        torch.testing.assert_close(row("out/merged", token), row(name, token))
    assert json.loads(Path("out/results.json").read_text())["models"]


def test_classifiers_around_a_plain_encoder_are_aligned(tmp_path, arguments):
    FreshBert(300, {**ENCODER, "intermediate_size": 32}).build(Path("encoder"), seed=0, texts=TEXTS)
    for seed, (name, tokens) in enumerate(ADDED.items(), start=1):
        torch.manual_seed(seed)
        model = Bert.from_pretrained("encoder", id2label=dict(enumerate(LABELS)), num_labels=len(LABELS))
        words = AutoTokenizer.from_pretrained("encoder")
        words.add_tokens(tokens)
        model.resize_token_embeddings(len(words))
        model.save_pretrained(name)
        words.save_pretrained(name)
    rest = [override for override in arguments if not override.startswith("base_model=")]
    model = ["base_model=encoder", "model=classifier", "model.source.name=encoder", "tokenizer=union"]
    run_study(compose_study([*rest, *model]), folder=Path("out"))
    words = AutoTokenizer.from_pretrained("out/merged")
    rows = Bert.from_pretrained("out/merged").get_input_embeddings().weight
    for name, token in (("a", "<x>"), ("b", "<z>")):
        own = AutoTokenizer.from_pretrained(name).convert_tokens_to_ids(token)
        expected = Bert.from_pretrained(name).get_input_embeddings().weight[own]
        torch.testing.assert_close(rows[words.convert_tokens_to_ids(token)], expected)


def test_base_keeps_its_tokens(arguments):
    run_study(compose_study([*arguments, "tokenizer=base"]), folder=Path("out"))
    base = AutoTokenizer.from_pretrained("base")
    assert LlamaForCausalLM.from_pretrained("out/merged").config.vocab_size == len(base)


def test_other_vocabularies_are_refused_without_the_option(arguments):
    with pytest.raises(MergeError, match="'lm_head.weight' has shape|'model.embed_tokens.weight' has shape"):
        load_plan(compose_study(arguments)).check_models()
    load_plan(compose_study([*arguments, "tokenizer=union"])).check_models()


def test_union_needs_folders_with_tokenizers(arguments):
    Path("b/tokenizer.json").unlink()
    with pytest.raises(ConfigurationError, match="tokenizer=union: b is not a model's folder with tokenizer.json"):
        load_plan(compose_study([*arguments, "tokenizer=union"]))


def test_tokenizer_without_experts_is_refused(arguments):
    without = [override for override in arguments if not override.startswith(("experts=", "base_model="))]
    with pytest.raises(ConfigurationError, match="tokenizer=union is for experts"):
        load_plan(compose_study([*without, "tokenizer=union"]))
