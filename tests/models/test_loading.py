"""Nothing that a model's folder brings is run."""

import json
import pickle

import pytest
from transformers import AutoModel, BertConfig, BertModel

from dfwe.errors import ModelError
from dfwe.models.loading import load_config, load_tokenizer, load_weights_of

CODE = "from pathlib import Path\nPath({path!r}).touch()\nclass Mine: pass\n"


class Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.fixture
def folder(tmp_path):
    """A folder whose model and tokenizer are code beside them, which leaves a trace when it runs."""
    code = {"AutoConfig": "code.Mine", "AutoModel": "code.Mine", "AutoTokenizer": ["code.Mine", None]}
    (tmp_path / "code.py").write_text(CODE.format(path=str(tmp_path / "ran")))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "mine", "auto_map": code}))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"auto_map": code}))
    return tmp_path


@pytest.mark.parametrize("load", [load_config, load_tokenizer, lambda name: load_weights_of(AutoModel, name)])
def test_code_beside_a_model_is_never_run(load, folder):
    with pytest.raises(ModelError, match="no model's code is run here"):
        load(folder)
    assert not (folder / "ran").exists()


def test_a_pickle_in_the_place_of_weights_is_not_run(tmp_path):
    config = BertConfig(hidden_size=4, num_hidden_layers=1, num_attention_heads=1, intermediate_size=4, vocab_size=5)
    BertModel(config).save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps({"embeddings": Touch(tmp_path / "ran")}, protocol=2))
    with pytest.raises(Exception, match="(?i)weights.only|safe|unpickl"):
        load_weights_of(AutoModel, tmp_path)
    assert not (tmp_path / "ran").exists()
