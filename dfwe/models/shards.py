"""Write a model's tensors in parts into a folder: one file, or shards with their index, as the Hub's library cuts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import split_state_dict_into_shards_factory
from torch import Tensor

from dfwe.io.files import write_json
from dfwe.models.checkpoint import TensorSpec, Writer, open_writer
from dfwe.models.folders import INDEX

_PATTERN = "model{suffix}.safetensors"


@dataclass(frozen=True)
class ShardWriter:
    """Write tensors, whole or in parts, each into the file that holds it; from any number of threads."""

    writers: Mapping[str, Writer]  # by the tensor's name

    @property
    def order(self) -> tuple[str, ...]:
        """Names of all tensors, shard by shard."""
        return tuple(name for writer in dict.fromkeys(self.writers.values()) for name in writer.order)

    def write(self, name: str, values: Tensor, *, begin: int = 0) -> None:
        """Write values of a tensor, the first of which is its value number `begin`."""
        self.writers[name].write(name, values, begin=begin)


@contextmanager
def open_shards(folder: Path, specs: Mapping[str, TensorSpec], *, max_shard_size: str) -> Iterator[ShardWriter]:
    """Yield a writer of the folder's weights; files are complete or, after an error, not there.

    A shard has at most `max_shard_size`, such as `5GB`, unless one tensor alone is larger.
    """
    split = split_state_dict_into_shards_factory(
        dict(sorted(specs.items())),
        get_storage_size=lambda spec: spec.num_bytes,
        filename_pattern=_PATTERN,
        max_shard_size=max_shard_size,
    )
    with ExitStack() as stack:
        writers: dict[str, Writer] = {}
        for file, names in split.filename_to_tensors.items():
            writer = stack.enter_context(open_writer(folder / file, {name: specs[name] for name in names}))
            writers |= dict.fromkeys(names, writer)
        yield ShardWriter(writers)
    if split.is_sharded:
        total = sum(spec.num_bytes for spec in specs.values())
        index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(split.tensor_to_filename.items()))}
        write_json(folder / INDEX, index)
