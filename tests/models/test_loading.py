"""What is loaded fits, and nothing that a model's folder brings is run or fetched."""

import ast
import json
import logging
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    ByT5Tokenizer,
    GPTNeoConfig,
    GPTNeoForCausalLM,
)

import dfwe
from dfwe.errors import ModelError
from dfwe.families.seq2seq.weights import FreshT5, Pretrained
from dfwe.models.loading import check_tokenizer, load_config, load_encoder, load_tokenizer, load_weights_of
from dfwe.models.weight_checks import ENCODER

CODE = "from pathlib import Path\nPath({path!r}).touch()\nclass Mine: pass\n"
CONFIG = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}
LAYER = "decoder.block.1.layer.0.SelfAttention.q.weight"
LOADS = [
    load_config,
    load_tokenizer,
    load_encoder,
    lambda name: load_weights_of(AutoModel, name),
    lambda name: load_weights_of(AutoModelForSeq2SeqLM, name),
]


class Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.fixture
def coded(tmp_path):
    """A folder whose model and tokenizer are code beside them, which leaves a trace when it runs."""
    code = {"AutoConfig": "code.Mine", "AutoModel": "code.Mine", "AutoTokenizer": ["code.Mine", None]}
    (tmp_path / "code.py").write_text(CODE.format(path=str(tmp_path / "ran")))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "mine", "auto_map": code}))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"auto_map": code}))
    return tmp_path


@pytest.fixture(scope="module")
def fresh_t5(tmp_path_factory):
    folder = tmp_path_factory.mktemp("t5") / "model"
    FreshT5(300, CONFIG).build(folder, seed=0, texts=["a merry tale"])
    return folder


@pytest.fixture
def tiny_t5(fresh_t5, tmp_path):
    return shutil.copytree(fresh_t5, tmp_path / "t5")


@pytest.fixture
def bert(tiny_bert, tmp_path):
    return shutil.copytree(tiny_bert, tmp_path / "bert")


def change(folder, make):
    file = folder / "model.safetensors"
    tensors = {name: tensor.clone() for name, tensor in make(load_file(file)).items()}
    save_file(tensors, file, {"format": "pt"})


def set_config(folder, file="config.json", **fields):
    path = folder / file
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


@pytest.mark.parametrize("load", LOADS)
def test_load_never_runs_code_of_a_model(load, coded):
    with pytest.raises(ModelError, match="no model's code is run here"):
        load(coded)
    assert not (coded / "ran").exists()


def test_load_tokenizer_refuses_its_code(tiny_t5):
    set_config(tiny_t5, "tokenizer_config.json", auto_map={"AutoTokenizer": ["code.Mine", None]})
    with pytest.raises(ModelError, match=r"tokenizer_config\.json has the field `auto_map`"):
        load_tokenizer(tiny_t5)


@pytest.mark.parametrize("load", LOADS)
def test_load_refuses_attention_from_a_repository(load, bert, monkeypatch):
    import transformers.modeling_utils as modeling

    monkeypatch.setattr(modeling, "lazy_import_flash_attention", lambda *_, **__: pytest.fail("it is imported"))
    set_config(bert, attn_implementation="somebody/kernels")
    with pytest.raises(ModelError, match="`attn_implementation` is 'somebody/kernels': it makes Transformers import"):
        load(bert)


def test_load_never_runs_a_pickle(tmp_path):
    config = BertConfig(hidden_size=4, num_hidden_layers=1, num_attention_heads=1, intermediate_size=4, vocab_size=5)
    BertModel(config).save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps({"embeddings": Touch(tmp_path / "ran")}, protocol=2))
    with pytest.raises(ModelError, match=r"(?i)cannot be loaded: .*weights.only"):
        load_weights_of(AutoModel, tmp_path)
    assert not (tmp_path / "ran").exists()


def test_load_names_and_counts_missing_layers(tiny_t5, capfd):
    change(tiny_t5, lambda tensors: {name: t for name, t in tensors.items() if "decoder.block.1" not in name})
    message = r"the checkpoint lacks decoder\.block\.1\.layer\.0\.SelfAttention\.k\.weight, .* and 10 more$"
    with pytest.raises(ModelError, match=message):
        load_weights_of(AutoModelForSeq2SeqLM, tiny_t5)
    assert "LOAD REPORT" not in capfd.readouterr().err


def test_load_of_a_compiled_model_gives_advice(tiny_t5):
    change(tiny_t5, lambda tensors: {f"_orig_mod.{name}": tensor for name, tensor in tensors.items()})
    with pytest.raises(ModelError, match=r"lacks decoder.* and has tensors .*a wrapper's '_orig_mod\.' stands before"):
        load_weights_of(AutoModelForSeq2SeqLM, tiny_t5)


def test_load_names_both_shapes(tiny_t5):
    change(tiny_t5, lambda tensors: tensors | {LAYER: torch.zeros(8, 16)})
    with pytest.raises(ModelError, match=rf"has other shapes: {LAYER} \[8, 16\] in place of \[16, 16\]$"):
        load_weights_of(AutoModelForSeq2SeqLM, tiny_t5)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_load_names_weights_that_are_not_finite(tiny_t5, bad):
    change(tiny_t5, lambda tensors: tensors | {LAYER: tensors[LAYER].fill_(bad)})
    with pytest.raises(ModelError, match=f"NaN or infinite values in {LAYER}:"):
        load_weights_of(AutoModelForSeq2SeqLM, tiny_t5)


def test_load_accepts_tied_tensors_or_none(tiny_t5):
    shared = load_file(tiny_t5 / "model.safetensors")["shared.weight"]
    aliases = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight")
    change(tiny_t5, lambda tensors: tensors | dict.fromkeys(aliases, shared))
    assert torch.equal(load_weights_of(AutoModelForSeq2SeqLM, tiny_t5).lm_head.weight, shared)
    change(tiny_t5, lambda tensors: {name: t for name, t in tensors.items() if name != "shared.weight"})
    assert torch.equal(load_weights_of(AutoModelForSeq2SeqLM, tiny_t5).shared.weight, shared)


def test_load_accepts_the_stored_masks_of_gpt_neo(tmp_path):
    shape = {"hidden_size": 8, "num_layers": 2, "num_heads": 2, "attention_types": [[["global", "local"], 1]]}
    GPTNeoForCausalLM(GPTNeoConfig(vocab_size=16, max_position_embeddings=4, **shape)).save_pretrained(tmp_path)
    mask = {f"transformer.h.{layer}.attn.attention.bias": torch.ones(1, 1, 4, 4).tril().bool() for layer in range(2)}
    save_file(load_file(tmp_path / "model.safetensors") | mask, tmp_path / "model.safetensors", {"format": "pt"})
    assert load_weights_of(AutoModelForCausalLM, tmp_path).config.model_type == "gpt_neo"


def test_load_encoder_accepts_another_head(bert, tmp_path):
    encoder = load_encoder(bert)
    model = BertForSequenceClassification(encoder.config)
    model.bert.embeddings.load_state_dict(encoder.embeddings.state_dict())
    model.save_pretrained(tmp_path / "classifier")
    with pytest.raises(ModelError, match=r"has tensors that the model has no place for: classifier\.bias, classifier"):
        load_encoder(tmp_path / "classifier")
    loaded = load_encoder(tmp_path / "classifier", tolerance=ENCODER)
    assert torch.equal(loaded.embeddings.word_embeddings.weight, encoder.embeddings.word_embeddings.weight)


def test_load_encoder_refuses_unknown_layers(bert):
    set_config(bert, num_hidden_layers=1)
    with pytest.raises(ModelError, match=r"has tensors that the model has no place for: encoder\.layer\.1\."):
        load_encoder(bert, tolerance=ENCODER)


def test_load_encoder_accepts_a_missing_pooler(bert, caplog):
    change(bert, lambda tensors: {name: t for name, t in tensors.items() if "pooler" not in name})
    with pytest.raises(ModelError, match=r"lacks pooler\.dense\.bias, pooler\.dense\.weight"):
        load_encoder(bert)
    with caplog.at_level(logging.WARNING, logger="dfwe"):
        load_encoder(bert, tolerance=ENCODER)
    assert "lacks pooler.dense.bias, pooler.dense.weight: initialised at random" in caplog.text
    change(bert, lambda tensors: {name: t for name, t in tensors.items() if "layer.1.output.dense" not in name})
    with pytest.raises(ModelError, match=r"lacks encoder\.layer\.1\.output\.dense\.bias, "):
        load_encoder(bert, tolerance=ENCODER)


def test_load_names_a_model_of_another_kind(bert):
    with pytest.raises(ModelError, match=r"of type 'bert' \(BertModel\), expected an encoder-decoder"):
        load_weights_of(AutoModelForSeq2SeqLM, bert)


def test_load_takes_labels_for_words(bert):
    set_config(bert, id2label={0: "backbone", 1: "media_player"}, label2id={"backbone": 0, "media_player": 299})
    load_encoder(bert)


def test_load_encoder_refuses_encoder_decoders(tiny_t5):
    with pytest.raises(ModelError, match="holds an encoder-decoder, and studies have heads on encoders alone"):
        load_encoder(tiny_t5)


def test_load_tokenizer_without_one_is_an_error(tiny_t5):
    (tiny_t5 / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=r"holds no tokenizer: expected tokenizer\.json"):
        load_tokenizer(tiny_t5)


def test_check_tokenizer_without_pad_token_is_an_error(tiny_t5, tmp_path):
    set_config(tiny_t5, "tokenizer_config.json", pad_token=None)
    with pytest.raises(ModelError, match="has no pad token, .* name one of its tokens as `pad_token`"):
        Pretrained(name=str(tiny_t5)).build(tmp_path / "out", seed=0, texts=())


def test_check_tokenizer_without_a_fast_version_is_an_error(tiny_t5):
    with pytest.raises(ModelError, match=r"t5: ByT5Tokenizer has no fast version \(tokenizer\.json\)"):
        check_tokenizer(ByT5Tokenizer(), model=load_weights_of(AutoModelForSeq2SeqLM, tiny_t5), where="t5")


def test_check_tokenizer_with_too_many_tokens_is_an_error(tiny_t5, tmp_path):
    tokenizer = load_tokenizer(tiny_t5)
    rows = len(tokenizer)
    tokenizer.add_tokens(["<one>", "<two>"])
    tokenizer.save_pretrained(tiny_t5)
    with pytest.raises(ModelError, match=f"has {rows + 2} tokens, the model embeddings for {rows}: resize"):
        Pretrained(name=str(tiny_t5)).build(tmp_path / "out", seed=0, texts=())


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def corrupt(path):
    path.write_bytes(b"\x08" + bytes(7) + b"{{{{{{{{")


def replace_by_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("file", "damage", "message"),
    [
        ("model.safetensors", cut, "cannot be read: it is cut short or damaged"),
        ("model.safetensors", corrupt, "cannot be read: it is cut short or damaged"),
        ("model.safetensors", lambda path: path.write_bytes(b""), "cannot be read: it is empty"),
        ("model.safetensors", replace_by_folder, "must be a file; it is a folder"),
        ("model.safetensors", lambda path: path.unlink(), r"holds no model\.safetensors"),
        ("config.json", lambda path: path.unlink(), r"holds no config\.json"),
        ("config.json", lambda path: path.write_text(""), "broken JSON"),
        ("config.json", lambda path: path.write_text("[1]"), "must hold a JSON object, not a list"),
        ("config.json", lambda path: path.write_text('{"a":' + "[" * 99999), "broken JSON|nested deeper"),
        ("config.json", lambda path: path.write_text('{"model_type": "t5", "num_heads": 0}'), "cannot be loaded: "),
        ("config.json", lambda path: path.write_text('{"model_type": "t5", "d_model": "x"}'), "cannot be loaded: "),
        ("config.json", lambda path: path.write_text('{"model_type": "t5", "num_layers": 999999999}'), "more layers"),
        ("generation_config.json", lambda path: path.write_text("{"), "broken JSON"),
        ("tokenizer.json", lambda path: path.write_text("{"), "cannot be loaded: "),
        ("tokenizer_config.json", lambda path: path.write_text("{"), "broken JSON"),
    ],
)
@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_load_of_damaged_files_is_one_line(tiny_t5, tmp_path, file, damage, message):
    damage(tiny_t5 / file)
    with pytest.raises(ModelError, match=message) as caught:
        Pretrained(name=str(tiny_t5)).build(tmp_path / "out", seed=0, texts=())
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_loading_is_the_only_user_of_from_pretrained():
    """A `from_pretrained` elsewhere would pass by the checks."""
    root = Path(dfwe.__file__).parent
    users = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr.startswith("from_") and node.attr.endswith("pretrained")
    }
    assert users == {
        "models/loading.py",
        "families/seq2seq/weights.py",  # of two models that are loaded already
    }
