"""Weights that stay in safetensors files, which are mapped: memory holds those pages that nothing else needs it for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from dfwe.models.checkpoint import Checkpoint
from dfwe.models.dispatch import stored_tensors


class MappedWeights(Mapping[str, Tensor]):
    """Tensors by name in a safetensors file or a model's folder, in float32.

    `rest` is in memory. A copy in another process maps the files there.
    """

    def __init__(self, path: Path, names: tuple[str, ...], rest: Mapping[str, Tensor] = MappingProxyType({})) -> None:
        self.path, self._names, self._rest = path, names, rest

    def __getitem__(self, name: str) -> Tensor:
        if name in self._rest:
            return self._rest[name]
        if name not in self._views:
            raise KeyError(name)
        return self._views[name].float()  # no copy where it is of float32

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __reduce__(self) -> tuple[Any, ...]:
        return MappedWeights, (self.path, self._names, dict(self._rest))

    @cached_property
    def _views(self) -> dict[str, Tensor]:
        """Views of the mapped files; each page is read when one of its values is."""
        checkpoint = Checkpoint(self.path)
        return {name: checkpoint.tensor(name) for name in self._names if name not in self._rest}


def map_file(path: Path) -> MappedWeights:
    """Return all tensors of a safetensors file."""
    return MappedWeights(path, tuple(sorted(Checkpoint(path).names)))


def map_model(model: nn.Module, folder: Path) -> MappedWeights:
    """Return a model's parameters where they lie in its folder; those that the files have otherwise are copied."""
    checkpoint, tensors = Checkpoint(folder), stored_tensors(model)
    rest = {
        name: tensor.cpu().float().clone() for name, tensor in tensors.items() if not _has(checkpoint, name, tensor)
    }
    return MappedWeights(folder, tuple(tensors), rest)


def _has(checkpoint: Checkpoint, name: str, tensor: Tensor) -> bool:
    return name in checkpoint.names and torch.equal(checkpoint.tensor(name).float(), tensor.cpu().float())
