"""Safetensors files, tensor by tensor."""

import json
import os

import pytest
import torch
from safetensors.torch import load_file, save_file

from dfwe.errors import ModelError
from dfwe.models.checkpoint import Checkpoint, TensorSpec, open_writer

TENSORS = {
    "b": torch.arange(6.0).reshape(2, 3),
    "a": torch.tensor([1, 2, 3], dtype=torch.int64),
    "half": torch.tensor([0.5, -1.5, 2.0], dtype=torch.bfloat16),
    "none": torch.zeros(0, 4),
    "one": torch.tensor(7.0),
}


def written(path, tensors):
    specs = {name: TensorSpec(tuple(tensor.shape), tensor.dtype) for name, tensor in tensors.items()}
    with open_writer(path, specs) as writer:
        for name in writer.order:
            writer.write(name, tensors[name])
    return path


def test_writer_output_is_readable_by_safetensors(tmp_path):
    found = load_file(written(tmp_path / "m.safetensors", TENSORS))
    assert found.keys() == TENSORS.keys()
    assert all(
        torch.equal(found[name], tensor) and found[name].dtype == tensor.dtype for name, tensor in TENSORS.items()
    )


def test_writer_takes_parts_in_any_order(tmp_path):
    specs = {name: TensorSpec(tuple(TENSORS[name].shape), TENSORS[name].dtype) for name in ("a", "b")}
    with open_writer(tmp_path / "m.safetensors", specs) as writer:
        writer.write("b", TENSORS["b"].flatten()[4:], begin=4)
        writer.write("a", TENSORS["a"])
        writer.write("b", TENSORS["b"].flatten()[:4])
    found = load_file(tmp_path / "m.safetensors")
    assert all(torch.equal(found[name], TENSORS[name]) for name in specs)


def test_writer_continues_a_short_write(tmp_path, monkeypatch):
    pwrite = os.pwrite
    monkeypatch.setattr("os.pwrite", lambda descriptor, data, position: pwrite(descriptor, data[:3], position))
    found = load_file(written(tmp_path / "m.safetensors", TENSORS))
    assert all(torch.equal(found[name], tensor) for name, tensor in TENSORS.items())


def test_open_writer_with_gaps_leaves_no_file(tmp_path):
    path = tmp_path / "m.safetensors"
    with pytest.raises(AssertionError, match="has gaps"), open_writer(path, {"w": TensorSpec((1,), torch.float32)}):
        pass
    assert not path.exists()


def test_checkpoint_reads_folders_and_shards_alike(tmp_path):
    save_file({"a": TENSORS["a"]}, tmp_path / "one.safetensors")
    save_file({"b": TENSORS["b"]}, tmp_path / "two.safetensors")
    index = {"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    checkpoint = Checkpoint(tmp_path)
    assert checkpoint.names == {"a", "b"}
    assert checkpoint.spec("b") == TensorSpec((2, 3), torch.float32)
    assert torch.equal(checkpoint.tensor("b"), TENSORS["b"])
    assert checkpoint.file_of("b").name == "two.safetensors"


def test_open_writer_after_an_error_leaves_no_file(tmp_path):
    path = tmp_path / "m.safetensors"
    with pytest.raises(RuntimeError, match="stop"), open_writer(path, {"w": TensorSpec((1,), torch.float32)}):
        raise RuntimeError("stop")
    assert not path.exists()


def test_checkpoint_without_weights_is_an_error(tmp_path):
    with pytest.raises(ModelError, match=r"holds no model\.safetensors"):
        Checkpoint(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ModelError, match="cannot be read"):
        Checkpoint(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    for index, message in (("[]", "must hold a JSON object, not a list"), ("{}", "is not an index of shards")):
        (tmp_path / "model.safetensors.index.json").write_text(index)
        with pytest.raises(ModelError, match=message):
            Checkpoint(tmp_path)


def test_checkpoint_with_shards_elsewhere_is_refused(tmp_path):
    (tmp_path / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../other/model.safetensors"}}')
    with pytest.raises(ModelError, match="not a file of its folder"):
        Checkpoint(tmp_path)


def test_checkpoint_of_an_impossible_name_is_an_error(tmp_path):
    with pytest.raises(ModelError, match="cannot be read: File name too long"):
        Checkpoint(tmp_path / ("a" * 3000))
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"x": "b" * 3000}}))
    with pytest.raises(ModelError, match="cannot be read: File name too long"):
        Checkpoint(tmp_path)
