"""BERT classifiers that are read without Transformers answer as those that it loads."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from dfwe.errors import ModelError
from dfwe.predict import load
from dfwe.predict.bert import load_bert
from dfwe.predict.models import _load_classifier

TEXTS = ["A warm kettle.", "", "is the KETTLE warm? Oui, déjà vu!", "merry " * 40]


def encode(tokenizer, *sentences):
    encoded = tokenizer(*sentences, return_offsets_mapping=True, return_special_tokens_mask=True)
    names = ("input_ids", "token_type_ids", "offset_mapping", "special_tokens_mask")
    return [list(encoded[name]) for name in names], list(encoded.sequence_ids())


def change(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def rewrite(folder, **changes):
    """Write other tensors; None leaves one out."""
    tensors = {name: value.clone() for name, value in load_file(folder / "model.safetensors").items()} | changes
    save_file({name: value for name, value in tensors.items() if value is not None}, folder / "model.safetensors")


def test_load_bert_reads_tokens_as_transformers_does(classifier):
    here, there = load_bert(classifier).tokenizer, _load_classifier(classifier).tokenizer
    for sentences in (*((text,) for text in TEXTS), ("a merry tale", "is it?"), ("[SEP] [MASK]", "[nothing]")):
        assert encode(here, *sentences) == encode(there, *sentences)
    assert here.pad_token_id == there.pad_token_id
    assert list(here.model_input_names) == there.model_input_names


def test_load_bert_has_the_logits_of_transformers(classifier):
    here, there = load_bert(classifier), _load_classifier(classifier)
    assert here.labels == there.labels == ("good", "bad")
    inputs = {
        "input_ids": torch.randint(0, 40, (5, 12), generator=torch.Generator().manual_seed(0)),
        "attention_mask": torch.ones(5, 12, dtype=torch.int64).tril(8),
        "token_type_ids": torch.zeros(5, 12, dtype=torch.int64).index_fill(1, torch.arange(6, 12), 1),
    }
    with torch.inference_mode():
        torch.testing.assert_close(here.logits(**inputs), there.logits(**inputs), rtol=0, atol=1e-5)


def test_predict_has_the_probabilities_of_transformers(classifier, monkeypatch):
    texts = [text for text in TEXTS if text]
    here = load(classifier).answers(texts)
    monkeypatch.setattr("dfwe.predict.bert.load_bert", lambda folder: None)
    there = load(classifier).answers(texts)
    assert [answer.answer for answer in here] == [answer.answer for answer in there]
    for answer, other in zip(here, there, strict=True):
        assert answer.probabilities == pytest.approx(other.probabilities, abs=1e-5)


def test_predict_of_a_bert_imports_no_transformers_or_hydra(classifier):
    code = (
        "import sys; from dfwe.predict.command import main; "
        f"assert main(['--model', {str(classifier)!r}, '--format', 'txt', '-']) == 0; "
        "heavy = {'transformers', 'pytorch_lightning', 'datasets', 'hydra', 'omegaconf', 'nevergrad', 'scipy'}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], input="A cup.", capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in ("good", "bad")


@pytest.mark.parametrize("classifier", ["tiny"], indirect=True)
@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("config.json", {"hidden_act": "relu"}),
        ("config.json", {"position_embedding_type": "relative_key"}),
        ("config.json", {"pruned_heads": {"0": [1]}}),
        ("config.json", {"layer_norm_eps": "small"}),
        ("config.json", {"num_attention_heads": 3}),
        ("config.json", {"problem_type": None}),
        ("config.json", {"auto_map": {"AutoConfig": "code.Config"}}),
        ("tokenizer_config.json", {"pad_token": None}),
        ("tokenizer_config.json", {"cls_token": "<s>"}),
        ("tokenizer_config.json", {"tokenizer_class": "BertTokenizer"}),
        ("tokenizer_config.json", {"model_input_names": ["input_ids", "attention_mask"]}),
        ("tokenizer_config.json", {"add_prefix_space": True}),
        ("tokenizer.json", {"model": None}),
        ("added_tokens.json", {}),
    ],
)
def test_load_bert_leaves_what_it_does_not_cover(classifier, file, changes):
    assert load_bert(classifier) is not None
    path = classifier / file
    path.write_text(path.read_text() if path.exists() else "{}")
    change(path, **changes)
    assert load_bert(classifier) is None


@pytest.mark.parametrize("classifier", ["tiny"], indirect=True)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classifier.bias": None}, "lacks classifier.bias"),
        ({"bert.more": torch.zeros(1)}, "has no place for: bert.more"),
        ({"classifier.bias": torch.zeros(3)}, "other shapes: classifier.bias"),
        ({"classifier.bias": torch.tensor([0.0, torch.nan])}, "NaN or infinite values in classifier.bias"),
    ],
)
def test_load_refuses_tensors_as_transformers_models(classifier, changes, message):
    rewrite(classifier, **changes)
    assert load_bert(classifier) is None
    with pytest.raises(ModelError, match=message):
        load(classifier)


@pytest.mark.parametrize("classifier", ["tiny"], indirect=True)
def test_load_bert_of_half_precision_computes_in_float32(classifier):
    rewrite(classifier, **{name: value.half() for name, value in load_file(classifier / "model.safetensors").items()})
    here, there = load_bert(classifier), _load_classifier(classifier)
    inputs = dict.fromkeys(("input_ids", "attention_mask", "token_type_ids"), torch.ones(2, 3, dtype=torch.int64))
    with torch.inference_mode():
        torch.testing.assert_close(here.logits(**inputs), there.logits(**inputs), rtol=0, atol=1e-5)


def test_load_refuses_an_encoder_with_heads_in_one_line(folder):
    path = folder(family="multi_head")
    with pytest.raises(ModelError, match="a head per task .*family multi_head.*: load it with Transformers' AutoModel"):
        load(path)
