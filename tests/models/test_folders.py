"""Which files hold a model's weights, and what is said where none does."""

import json

import pytest
import torch
from safetensors.torch import save_file

from dfwe.errors import ModelError
from dfwe.models.checkpoint import Checkpoint

ONE, TWO = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


def write(path, **values):
    save_file({name: torch.full((2,), float(value)) for name, value in values.items()}, path)


@pytest.fixture
def sharded(tmp_path):
    write(tmp_path / ONE, a=1)
    write(tmp_path / TWO, b=2)
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": ONE, "b": TWO}}))
    return tmp_path


def values(path):
    checkpoint = Checkpoint(path)
    return {name: checkpoint.tensor(name)[0].item() for name in checkpoint.names}


def test_weight_files_single_file_precedes_an_older_index(sharded):
    write(sharded / "model.safetensors", a=10, b=20)
    assert values(sharded) == {"a": 10, "b": 20}


def test_weight_files_shards_outside_the_index_are_not_read(sharded):
    write(sharded / "model-00003-of-00003.safetensors", c=3)
    assert values(sharded) == {"a": 1, "b": 2}


def test_weight_files_equal_copies_in_two_shards_are_one_tensor(sharded):
    write(sharded / TWO, a=1, b=2)
    assert values(sharded) == {"a": 1, "b": 2}


def test_weight_files_different_copies_in_two_shards_are_refused(sharded):
    write(sharded / TWO, a=0, b=2)
    with pytest.raises(ModelError, match=f"{ONE} and {TWO} hold different tensors 'a': one of them is left"):
        Checkpoint(sharded)


def test_weight_files_shard_without_its_tensor_is_named(sharded):
    write(sharded / TWO, c=2)
    with pytest.raises(ModelError, match=f"{TWO} lacks 'b', which the index places there"):
        Checkpoint(sharded)


def test_weight_files_missing_shard_is_named(sharded):
    (sharded / TWO).unlink()
    with pytest.raises(ModelError, match=f"{TWO} is missing"):
        Checkpoint(sharded)


def test_weight_files_lone_shard_needs_no_index(tmp_path):
    write(tmp_path / "model-00001-of-00001.safetensors", a=1)
    assert values(tmp_path) == {"a": 1}


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("pytorch_model.bin", r"holds its weights as pickles alone .*convert them, .*save_pretrained"),
        ("model.fp16.safetensors", r"but model\.fp16\.safetensors: name that file, or rename it"),
        ("adapter_config.json", r"is a LoRA adapter, not a model, .*add it to somebody/base first"),
        ("README.md", r"holds no model\.safetensors"),
    ],
)
def test_weight_files_folder_without_weights_is_an_error(tmp_path, file, message):
    (tmp_path / file).write_text('{"base_model_name_or_path": "somebody/base"}')
    with pytest.raises(ModelError, match=message):
        Checkpoint(tmp_path)


def test_weight_files_pickle_as_a_file_is_refused(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(ModelError, match="holds pickled weights: these are not read"):
        Checkpoint(tmp_path / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (b"version 1 of git-lfs\n", "it is a pointer of Git LFS"),
        (b"\xff" * 40, "it is cut short or damaged"),
    ],
)
def test_weight_files_damaged_file_is_described(tmp_path, content, message):
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=message):
        Checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("somebody/model", "nothing is downloaded here: if it is a repository on the Hub, download it"),
        ("./nowhere", "there is no folder"),
    ],
)
def test_weight_files_name_without_a_folder_gives_advice(tmp_path, monkeypatch, name, message):
    from pathlib import Path

    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=message):
        Checkpoint(Path(name))
