"""Read weights from safetensors files, memory-mapped, and write them in parts.

huggingface_hub saves whole state dicts; merging files must hold no more than a block per thread.
"""

from __future__ import annotations

import json
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dfwe.errors import ModelError
from dfwe.models.folders import adapter_refusal, open_weights, weight_files

_ADAPTER = re.compile(r"(^|\.)lora_(A|B|embedding_A|embedding_B|magnitude_vector)(\.|$)")
_TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_RECOMPUTED = (
    *(".inv_freq", ".position_ids", ".attn.bias", ".masked_bias"),  # GPT-2's c_attn.bias is none of them
    *(".attention.bias", ".attn.causal_mask"),  # of GPT-Neo, GPT-NeoX and CodeGen
)
_CODES = {dtype: code for code, dtype in _TYPES.items()}


@dataclass(frozen=True)
class TensorSpec:
    """Describe a tensor by its shape and type."""

    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def num_values(self) -> int:
        """Number of values."""
        return torch.Size(self.shape).numel()

    @property
    def num_bytes(self) -> int:
        """Number of bytes on disk."""
        return self.num_values * self.dtype.itemsize

    @property
    def is_floating(self) -> bool:
        """True for floating-point numbers."""
        return self.dtype.is_floating_point

    @property
    def dtype_name(self) -> str:
        """Name of the type, such as `bfloat16`."""
        return str(self.dtype).removeprefix("torch.")

    @property
    def sum_dtype(self) -> torch.dtype:
        """Type that such tensors are summed in."""
        return torch.float64 if self.dtype == torch.float64 else torch.float32


def is_recomputed(name: str) -> bool:
    """Return true for the name of a tensor that models compute anew, though some versions store it."""
    return f".{name}".endswith(_RECOMPUTED)


def wrapper_prefix(names: Collection[str], *, model: Collection[str], of: str) -> str:
    """Return the words that a wrapper, such as a LightningModule, has put before a model's names; often none.

    Raises:
        ModelError: the names are of several such models.
    """
    longest = max(model, key=len)
    prefixes = [name.removesuffix(longest) for name in names if name == longest or name.endswith(f".{longest}")]
    matches = {prefix: sum(f"{prefix}{name}" in names for name in model) for prefix in prefixes}
    best = [prefix for prefix, number in matches.items() if number == max(matches.values())]
    if len(best) > 1:
        raise ModelError(f"{of} holds {len(best)} models ({', '.join(best)}): save the one that is meant by itself")
    return best[0] if best else ""


class TensorSource(ABC):
    """Give a model's tensors by name: a checkpoint, or what is made of some, tensor by tensor."""

    path: Path  # of the model that it is, or begins with

    @property
    @abstractmethod
    def names(self) -> frozenset[str]:
        """Names of the tensors."""

    @abstractmethod
    def spec(self, name: str) -> TensorSpec:
        """Return the tensor's spec without reading it."""

    @abstractmethod
    def tensor(self, name: str) -> Tensor:
        """Return the tensor; of float32 where it is computed."""

    @abstractmethod
    def file_of(self, name: str) -> Path:
        """Return the file that holds the tensor, for messages."""


class PlacedTensors(TensorSource):
    """Give tensors of other sources under names of its own: `_places` has each one's source and its name there."""

    _places: Mapping[str, tuple[TensorSource, str]]

    @property
    def names(self) -> frozenset[str]:
        """Names of the tensors."""
        return frozenset(self._places)

    def spec(self, name: str) -> TensorSpec:
        """Return the tensor's spec."""
        source, other = self._places[name]
        return source.spec(other)

    def tensor(self, name: str) -> Tensor:
        """Return the tensor."""
        source, other = self._places[name]
        return source.tensor(other)

    def file_of(self, name: str) -> Path:
        """Return the file that holds the tensor."""
        source, other = self._places[name]
        return source.file_of(other)


class LoadedTensors(TensorSource):
    """Give tensors that are in memory; `title` stands for a file in messages."""

    def __init__(self, tensors: Mapping[str, Tensor], *, title: str) -> None:
        self.path, self._tensors = Path(title), tensors

    @property
    def names(self) -> frozenset[str]:
        """Names of the tensors."""
        return frozenset(self._tensors)

    def spec(self, name: str) -> TensorSpec:
        """Return the tensor's shape and type."""
        tensor = self._tensors[name]
        return TensorSpec(tuple(tensor.shape), tensor.dtype)

    def tensor(self, name: str) -> Tensor:
        """Return the tensor."""
        return self._tensors[name].detach()

    def file_of(self, name: str) -> Path:
        """Return what stands for a file in messages."""
        return self.path


class Checkpoint(TensorSource):
    """Read the tensors of a model folder (one file, or shards and their index), or of one file.

    Raises:
        ModelError: no weights, or files that are missing, damaged, or do not hold what their index says.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        files, index = weight_files(path)
        self._files = {file: open_weights(file) for file in files}
        holders: dict[str, list[Path]] = {}
        for file, opened in self._files.items():
            for name in opened.keys():  # noqa: SIM118
                holders.setdefault(name, []).append(file)
        self._file_of = {name: self._holder(name, files=files) for name, files in holders.items()}
        self._check_index(index)
        if any(_ADAPTER.search(name) for name in self._file_of):
            raise ModelError(adapter_refusal(path))

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that hold the tensors."""
        return tuple(self._files)

    @property
    def names(self) -> frozenset[str]:
        """Names of the tensors."""
        return frozenset(self._file_of)

    def spec(self, name: str) -> TensorSpec:
        """Return the tensor's spec without reading it; ModelError for an unknown type."""
        part = self._files[self._file_of[name]].get_slice(name)
        if part.get_dtype() not in _TYPES:
            raise ModelError(
                f"{self._file_of[name]}: '{name}' has the type {part.get_dtype()}, which cannot be merged: "
                "use the model before it was quantized, or convert it to bfloat16"
            )
        return TensorSpec(tuple(part.get_shape()), _TYPES[part.get_dtype()])

    def tensor(self, name: str) -> Tensor:
        """Return the tensor, a view of the mapped file."""
        tensor: Tensor = self._files[self._file_of[name]].get_tensor(name)
        return tensor

    def file_of(self, name: str) -> Path:
        """Return the file that holds the tensor, for messages."""
        return self._file_of[name]

    def _holder(self, name: str, *, files: Sequence[Path]) -> Path:
        """Return the last shard that holds the tensor, as Transformers does; the index may name another with a copy."""
        last = files[-1]
        for file in files[:-1]:
            if not torch.equal(self._files[file].get_tensor(name), self._files[last].get_tensor(name)):
                raise ModelError(
                    f"{file} and {last.name} hold different tensors '{name}': one of them is left from an older model; "
                    "save the model again"
                )
        return last

    def _check_index(self, index: Mapping[str, str]) -> None:
        if lacking := sorted(index.keys() - self._file_of.keys()):
            more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
            raise ModelError(
                f"{self.path / index[lacking[0]]} lacks '{lacking[0]}'{more}, which the index places there: copy or "
                "download the model again"
            )


class Writer:
    """Write a safetensors file's tensors in any order, whole or in parts, from any number of threads."""

    def __init__(self, descriptor: int, specs: Mapping[str, TensorSpec]) -> None:
        # wide types first, so that every tensor begins at a multiple of its width
        self.order = tuple(sorted(specs, key=lambda name: (-specs[name].dtype.itemsize, name)))
        self._descriptor, self._specs = descriptor, specs
        ends = list(accumulate((specs[name].num_bytes for name in self.order), initial=0))
        header = _header(self.order, specs, offsets=ends)
        self._begins = {name: len(header) + begin for name, begin in zip(self.order, ends, strict=False)}
        self._size, self._written = len(header) + ends[-1], [_write(descriptor, memoryview(header), position=0)]

    @property
    def is_complete(self) -> bool:
        """True once as many bytes have been written as the file must have."""
        return sum(self._written) == self._size

    def write(self, name: str, values: Tensor, *, begin: int = 0) -> None:
        """Write values of a tensor, the first of which is its value number `begin`."""
        spec = self._specs[name]
        assert values.dtype == spec.dtype, f"{name} is not of its type"
        assert begin + values.numel() <= torch.Size(spec.shape).numel(), f"{name} is not that large"
        if values.numel():
            data = values.contiguous().flatten().view(torch.uint8).numpy().data
            position = self._begins[name] + begin * spec.dtype.itemsize
            self._written.append(_write(self._descriptor, data, position=position))  # atomic, unlike +=


@contextmanager
def open_writer(path: Path, specs: Mapping[str, TensorSpec]) -> Iterator[Writer]:
    """Yield a writer of that file; the file is complete or, after an error, not there."""
    try:
        with path.open("wb", buffering=0) as stream:
            writer = Writer(stream.fileno(), specs)
            yield writer
            assert writer.is_complete, f"{path} has gaps"
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _write(descriptor: int, data: memoryview, *, position: int) -> int:
    written = 0
    while written < len(data):  # a full disk, or 2 GB, cut a write short
        written += os.pwrite(descriptor, data[written:], position + written)
    return written


def _header(order: Sequence[str], specs: Mapping[str, TensorSpec], *, offsets: Sequence[int]) -> bytes:
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    for name, begin, end in zip(order, offsets, offsets[1:], strict=False):
        spec = specs[name]
        entries[name] = {"dtype": _CODES[spec.dtype], "shape": list(spec.shape), "data_offsets": [begin, end]}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text
