"""Weights in safetensors files: read tensor by tensor, memory-mapped, and written part by part."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dfwe.errors import ModelError
from dfwe.models.folders import adapter_refusal
from dfwe.models.weight_files import open_weights, weight_files

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
_CODES = {dtype: code for code, dtype in _TYPES.items()}


@dataclass(frozen=True)
class Form:
    """A tensor's shape and type."""

    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def num_bytes(self) -> int:
        """What it takes on disk."""
        return torch.Size(self.shape).numel() * self.dtype.itemsize


class Checkpoint:
    """The tensors of a model folder (one file, or shards and their index), or of one file.

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
        self._where = {name: self._place(name, held_by=held_by) for name, held_by in holders.items()}
        self._check_index(index)
        if any(_ADAPTER.search(name) for name in self._where):
            raise ModelError(adapter_refusal(path))

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that hold the tensors."""
        return tuple(self._files)

    @property
    def names(self) -> frozenset[str]:
        """The tensors' names."""
        return frozenset(self._where)

    def form(self, name: str) -> Form:
        """The tensor's form, without reading it; ModelError for a type that is unknown here."""
        part = self._files[self._where[name]].get_slice(name)
        if part.get_dtype() not in _TYPES:
            raise ModelError(
                f"{self._where[name]}: '{name}' has the type {part.get_dtype()}, which cannot be merged: use the model "
                "before it was quantized, or convert it to bfloat16"
            )
        return Form(tuple(part.get_shape()), _TYPES[part.get_dtype()])

    def tensor(self, name: str) -> Tensor:
        """The tensor, a view of the mapped file."""
        tensor: Tensor = self._files[self._where[name]].get_tensor(name)
        return tensor

    def file_of(self, name: str) -> Path:
        """The file that holds the tensor, for messages."""
        return self._where[name]

    def _place(self, name: str, *, held_by: Sequence[Path]) -> Path:
        """Return the last shard that holds the tensor, as Transformers does; the index may name another with a copy."""
        last = held_by[-1]
        for file in held_by[:-1]:
            if not torch.equal(self._files[file].get_tensor(name), self._files[last].get_tensor(name)):
                raise ModelError(
                    f"{file} and {last.name} hold different tensors '{name}': one of them is left from an older model; "
                    "save the model again"
                )
        return last

    def _check_index(self, index: Mapping[str, str]) -> None:
        if lacking := sorted(index.keys() - self._where.keys()):
            more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
            raise ModelError(
                f"{self.path / index[lacking[0]]} lacks '{lacking[0]}'{more}, which the index places there: copy or "
                "download the model again"
            )


class Writer:
    """A safetensors file whose tensors are written in any order, whole or in parts, by any number of threads."""

    def __init__(self, descriptor: int, forms: Mapping[str, Form]) -> None:
        # wide types first, so that every tensor begins at a multiple of its width
        self.order = tuple(sorted(forms, key=lambda name: (-forms[name].dtype.itemsize, name)))
        self._descriptor, self._forms = descriptor, forms
        ends = list(accumulate((forms[name].num_bytes for name in self.order), initial=0))
        header = _header(self.order, forms, offsets=ends)
        self._begins = {name: len(header) + begin for name, begin in zip(self.order, ends, strict=False)}
        self._size, self._written = len(header) + ends[-1], [_write(descriptor, memoryview(header), position=0)]

    @property
    def complete(self) -> bool:
        """Whether as many bytes have been written as the file must have."""
        return sum(self._written) == self._size

    def write(self, name: str, values: Tensor, *, begin: int = 0) -> None:
        """Writes values of a tensor, the first of which is its value number `begin`."""
        form = self._forms[name]
        assert values.dtype == form.dtype, f"{name} is not of its type"
        assert begin + values.numel() <= torch.Size(form.shape).numel(), f"{name} is not that large"
        if values.numel():
            data = values.contiguous().flatten().view(torch.uint8).numpy().data
            position = self._begins[name] + begin * form.dtype.itemsize
            self._written.append(_write(self._descriptor, data, position=position))  # atomic, unlike +=


@contextmanager
def writing(path: Path, forms: Mapping[str, Form]) -> Iterator[Writer]:
    """A writer of that file; the file is complete or, after an error, not there."""
    try:
        with path.open("wb", buffering=0) as stream:
            writer = Writer(stream.fileno(), forms)
            yield writer
            assert writer.complete, f"{path} has gaps"
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _write(descriptor: int, data: memoryview, *, position: int) -> int:
    written = 0
    while written < len(data):  # a full disk, or 2 GB, cut a write short
        written += os.pwrite(descriptor, data[written:], position + written)
    return written


def _header(order: Sequence[str], forms: Mapping[str, Form], *, offsets: Sequence[int]) -> bytes:
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    for name, begin, end in zip(order, offsets, offsets[1:], strict=False):
        form = forms[name]
        entries[name] = {"dtype": _CODES[form.dtype], "shape": list(form.shape), "data_offsets": [begin, end]}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text
