"""Experts from elsewhere choose the kind of model by their config.json."""

import json

import pytest

from dfwe.config.command_line import hydra_arguments
from dfwe.errors import ConfigurationError


@pytest.fixture
def folder(tmp_path):
    """A function from an architecture to a folder with its config.json."""

    def make(architecture, **more):
        path = tmp_path / (architecture or "unnamed")
        path.mkdir(exist_ok=True)
        content = {"architectures": [architecture], **more} if architecture else {}
        (path / "config.json").write_text(json.dumps(content))
        return path

    return make


@pytest.mark.parametrize(
    ("architecture", "option"),
    [
        ("BertForSequenceClassification", "classifier"),
        ("T5ForConditionalGeneration", "seq2seq"),
        ("EncoderDecoderModel", "seq2seq"),
        ("LlamaForCausalLM", "causal_lm"),
        ("GPT2LMHeadModel", "causal_lm"),
    ],
)
@pytest.mark.parametrize("form", ["[{0},other]", "{{a:{0},b:other}}"], ids=["list", "by name"])
@pytest.mark.parametrize("plus", ["", "+"])
def test_the_first_folder_chooses_the_model(folder, architecture, option, form, plus):
    path = folder(architecture)
    arguments = hydra_arguments(["+target=meld", f"{plus}experts={form.format(path)}"])
    limits = ["model.max_source_tokens=512", "data.truncation=reference"] if option == "classifier" else []
    assert arguments == [
        "+target=meld",
        f"experts={form.format(path)}",
        "sources=none",
        f"model={option}",
        f"model.source.name='{path}'",
        *limits,
    ]


def test_a_decoder_that_sees_is_no_encoder_decoder(folder):
    path = folder("Gemma3ForConditionalGeneration", text_config={})
    assert "model=causal_lm" in hydra_arguments(["+target=meld", f"experts=[{path},other]"])


@pytest.mark.parametrize(
    ("config", "tokenizer", "expected"),
    [
        ({"max_position_embeddings": 512}, {"model_max_length": int(1e30)}, (512, "reference")),
        ({"max_position_embeddings": 512}, {"model_max_length": 128, "truncation_side": "left"}, (128, "context")),
        ({"max_position_embeddings": 514, "model_type": "roberta", "pad_token_id": 1}, {}, (512, "reference")),
        ({"max_position_embeddings": -1}, {"model_max_length": int(1e30)}, (8192, "reference")),
    ],
    ids=["positions", "the tokenizer", "behind the padding", "no limit"],
)
def test_a_classifier_reads_what_its_files_say(folder, config, tokenizer, expected):
    path = folder("BertForSequenceClassification")
    (path / "config.json").write_text(json.dumps({"architectures": ["BertForSequenceClassification"], **config}))
    (path / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    given = hydra_arguments([f"experts=[{path}]", "data.truncation=context"])
    assert "data.truncation=reference" not in given
    length, side = expected
    arguments = hydra_arguments([f"experts=[{path}]"])
    assert arguments[-2:] == [f"model.max_source_tokens={length}", f"data.truncation={side}"]


def test_the_base_model_comes_first(folder):
    base, expert = folder("T5ForConditionalGeneration"), folder("LlamaForCausalLM")
    arguments = hydra_arguments([f"+experts=[{expert}]", f"+base_model={base}"])
    assert arguments[-2:] == ["model=seq2seq", f"model.source.name='{base}'"]


def test_a_base_model_on_the_hub_is_what_models_start_from(folder):
    arguments = hydra_arguments([f"experts=[{folder('LlamaForCausalLM')}]", "base_model=lab/parent"])
    assert arguments[-2:] == ["model=causal_lm", "model.source.name='lab/parent'"]


@pytest.mark.parametrize("architecture", ["BertModel", "BertForMaskedLM", ""])
def test_a_base_model_without_a_head_leaves_the_kind_to_experts(folder, architecture):
    base, expert = folder(architecture), folder("BertForSequenceClassification")
    arguments = hydra_arguments([f"experts=[{expert}]", f"base_model={base}"])
    assert arguments[3:5] == ["model=classifier", f"model.source.name='{base}'"]


@pytest.mark.parametrize("form", ["a,{0}", "a,'{0}'", "[a,{0}],[a,b]"], ids=["names", "quoted", "lists"])
def test_a_sweeps_choices_are_names_of_models(folder, form):
    path = folder("LlamaForCausalLM")
    assert hydra_arguments([f"experts={form.format(path)}"])[-2:] == ["model=causal_lm", f"model.source.name='{path}'"]


@pytest.mark.parametrize(
    ("task", "option"), [("SEQ_CLS", "classifier"), ("CAUSAL_LM", "causal_lm"), ("SEQ_2_SEQ_LM", "seq2seq")]
)
def test_adapters_say_what_kind_they_are_for(folder, tmp_path, task, option):
    lora, base = tmp_path / "lora", folder("BertForMaskedLM")
    lora.mkdir()
    (lora / "adapter_config.json").write_text(json.dumps({"task_type": task}))
    assert f"model={option}" in hydra_arguments([f"experts=[{lora}]", f"base_model={base}"])


def test_a_path_may_have_an_apostrophe(folder):
    path = folder("LlamaForCausalLM").rename(folder("LlamaForCausalLM").parent / "o'brien")
    arguments = hydra_arguments([f'experts=["{path}"]'])
    assert arguments[-1] == "model.source.name='" + str(path).replace("'", "\\'") + "'"


def test_a_chosen_classifier_reads_what_its_files_say(folder):
    path = folder("BertForMaskedLM")
    overrides = ["experts=[a,b]", "model=classifier", f"model.source.name={path}"]
    limits = ["model.max_source_tokens=512", "data.truncation=reference"]
    assert hydra_arguments(overrides) == [*overrides, "sources=none", *limits]
    assert hydra_arguments(overrides[:2]) == [*overrides[:2], "sources=none"]


def test_a_chosen_model_stays(folder):
    overrides = [f"experts=[{folder('LlamaForCausalLM')}]", "model=smollm2"]
    assert hydra_arguments(overrides) == [*overrides, "sources=none"]


@pytest.mark.parametrize("architecture", ["BertForMaskedLM", ""])
def test_another_architecture_is_refused(folder, architecture):
    with pytest.raises(ConfigurationError, match="experts are classifiers .*, encoder-decoders .* or decoders"):
        hydra_arguments([f"experts=[{folder(architecture)}]"])


def test_without_a_folder_it_says_what_to_set():
    with pytest.raises(ConfigurationError, match=r"none of a, b is a folder with config.json: set base_model="):
        hydra_arguments(["experts=[a,b]"])
