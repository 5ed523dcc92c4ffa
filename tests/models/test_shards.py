"""Weights in several files, written tensor by tensor."""

import json

import pytest
import torch
from safetensors import safe_open

from dfwe.models.checkpoint import Checkpoint, TensorSpec
from dfwe.models.shards import open_shards

TENSORS = {name: torch.full((256,), float(number)) for number, name in enumerate("dacb")}  # of 1 KB each
SPECS = {name: TensorSpec((256,), torch.float32) for name in TENSORS}


def write(folder, *, max_shard_size):
    with open_shards(folder, SPECS, max_shard_size=max_shard_size) as writer:
        for name in writer.order:
            writer.write(name, TENSORS[name][:100])
            writer.write(name, TENSORS[name][100:], begin=100)
    return sorted(path.name for path in folder.iterdir())


def test_small_weights_are_one_file_without_an_index(tmp_path):
    assert write(tmp_path, max_shard_size="5GB") == ["model.safetensors"]


def test_large_weights_are_shards_with_their_index(tmp_path):
    shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    assert write(tmp_path, max_shard_size="3KB") == [*shards, "model.safetensors.index.json"]
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == 4096
    for shard in shards:
        with safe_open(tmp_path / shard, framework="pt") as file:
            assert set(file.keys()) == {name for name, place in index["weight_map"].items() if place == shard}
    checkpoint = Checkpoint(tmp_path)
    assert all(torch.equal(checkpoint.tensor(name), tensor) for name, tensor in TENSORS.items())


def test_a_tensor_above_the_limit_has_a_shard_of_its_own(tmp_path):
    assert len(write(tmp_path, max_shard_size="1KB")) == 5


def test_shards_after_an_error_are_not_there(tmp_path):
    with pytest.raises(RuntimeError, match="stop"), open_shards(tmp_path, SPECS, max_shard_size="1KB"):
        raise RuntimeError("stop")
    assert not list(tmp_path.iterdir())
