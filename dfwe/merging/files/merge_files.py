"""Merge models' files into a folder, without data or search."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dfwe.errors import MergeError
from dfwe.io.files import make_folder, replacing_folder
from dfwe.merging.base import MergeMethod, TensorGroup, require_parent, tensor_infos
from dfwe.merging.engine import blocks, thread_pool
from dfwe.merging.files.architecture import check_architectures
from dfwe.merging.files.recipe import read_recipe
from dfwe.merging.files.side_files import copy_side_files
from dfwe.merging.files.tensor_specs import common_specs, main_dtype
from dfwe.models.checkpoint import Checkpoint, TensorSpec, Writer, open_writer
from dfwe.models.weight_files import SINGLE

log = logging.getLogger(__name__)


def merge_files(recipe_file: Path, *, out: Path) -> int:
    """Merge models' files as the recipe says into the folder `out`; return the number of tensors.

    The folder is complete or not there. Sums are taken in float32, and in float64 for a result of that type. Without a
    `dtype` the result has the smallest that holds all models' numbers. Configuration, tokenizer and other files are
    those of the base model, else of the first one.

    Raises:
        MergeError: a wrong recipe; models of different architectures; tensors that are missing, of another shape, NaN
            or infinite; no room on the disk.
        ModelError: a model's folder or file that cannot be read.
    """
    recipe = read_recipe(recipe_file)
    if out.exists():
        raise MergeError(f"{out} exists: choose another folder, or remove it")
    models = {name: Checkpoint(Path(name).expanduser()) for name in recipe.models}
    base = None if recipe.base is None else models.get(recipe.base) or Checkpoint(Path(recipe.base).expanduser())
    checkpoints = tuple(dict.fromkeys((*((base,) if base else ()), *models.values())))
    check_architectures(checkpoints)
    specs = common_specs(checkpoints, dtype=recipe.dtype)
    merge = _FileMerge(tuple(models.values()), base, specs, recipe.at(tuple(specs)))
    dtype = main_dtype(specs)
    with _folder(out, num_bytes=sum(spec.num_bytes for spec in specs.values())) as folder:
        with open_writer(folder / SINGLE, specs) as writer:
            merge.write(writer)
        copy_side_files([model.path for model in checkpoints], folder=folder, dtype=dtype)
    if differing := [spec for spec in specs.values() if spec.is_floating and spec.dtype_name != dtype]:
        log.warning(
            "%s: config.json names %s, the type of most numbers; %d of %d tensors have another",
            out,
            dtype,
            len(differing),
            len(specs),
        )
    return len(specs)


@dataclass(frozen=True)
class _FileMerge:
    """Merge checkpoints tensor by tensor; a block per thread is in memory if the method is elementwise."""

    models: tuple[Checkpoint, ...]
    base: Checkpoint | None
    specs: Mapping[str, TensorSpec]
    methods: Mapping[str, tuple[MergeMethod, tuple[float, ...]]]  # with the coefficients, per tensor

    def write(self, writer: Writer) -> None:
        """Merge and write all tensors, on as many threads as torch has."""
        for method in {method for method, _ in self.methods.values()}:
            method.check(len(self.models))
            require_parent(self.base, method=method)
        groups = _FloatingGroups(self)
        states = {method: method.prepare_model(groups) for method in {self.methods[name][0] for name in groups.infos}}
        with thread_pool() as pool:
            for _ in pool.map(lambda write: write(), self._tasks(writer, groups=groups, states=states)):
                pass  # an error stops the others

    def _tasks(
        self, writer: Writer, *, groups: _FloatingGroups, states: Mapping[MergeMethod, Any]
    ) -> Iterator[Callable[[], None]]:
        """Yield what writes each tensor, or each block of one."""
        for name in writer.order:
            method, _ = self.methods[name]
            if name not in groups.infos:
                yield partial(self._write_equal, name, writer=writer)
            elif method.properties.is_elementwise and type(method).prepare_tensor is MergeMethod.prepare_tensor:
                for block in blocks(groups.stored(name)):  # numbers are widened a block at a time
                    yield partial(self._write_block, block, writer=writer, state=states[method])
            else:
                yield partial(self._write_whole, groups, name, writer=writer, state=states[method])

    def _write_block(self, block: TensorGroup, *, writer: Writer, state: Any) -> None:
        widened = _widen(block, spec=self.specs[block.info.name])
        writer.write(block.info.name, self._merge(widened, state=state), begin=block.begin)

    def _write_whole(self, groups: _FloatingGroups, name: str, *, writer: Writer, state: Any) -> None:
        group = groups.widened(name)
        tensor_state = self.methods[name][0].prepare_tensor(group, state=state)
        writer.write(name, self._merge(group, state=tensor_state))

    def _write_equal(self, name: str, *, writer: Writer) -> None:
        """Write whole numbers, which must be the same in all models."""
        first, *rest = [model.tensor(name).to(self.specs[name].dtype) for model in self.models]
        for model, tensor in zip(self.models[1:], rest, strict=True):
            if not torch.equal(tensor, first):
                raise MergeError(f"'{name}' holds whole numbers, which cannot be merged, and differs in {model.path}")
        writer.write(name, first)

    def _merge(self, group: TensorGroup, *, state: Any) -> Tensor:
        name = group.info.name
        method, coefficients = self.methods[name]
        merged = method.merge_tensor(group, coefficients=coefficients, state=state).to(self.specs[name].dtype)
        # a sum is finite exactly if its parts are, or nearly: the parts are looked at only where it is not
        if not bool(torch.isfinite(merged.sum(dtype=torch.float32))):
            self._check_finite(name, merged=merged)
        return merged

    def _check_finite(self, name: str, *, merged: Tensor) -> None:
        for model in (*self.models, *((self.base,) if self.base else ())):
            bad = int((~model.tensor(name).isfinite()).sum())
            if bad:
                raise MergeError(f"{model.file_of(name)}: '{name}' has {bad} values that are NaN or infinite")
        if not bool(merged.isfinite().all()):
            dtype = self.specs[name].dtype_name
            raise MergeError(f"the merge of '{name}' has values too large for {dtype}: set another dtype, or weights")


class _FloatingGroups:
    """Read the tensors of floating-point numbers, as often as a method iterates over them."""

    def __init__(self, merge: _FileMerge) -> None:
        self._merge = merge
        self.infos = {info.name: info for info in tensor_infos(merge.specs) if merge.specs[info.name].is_floating}

    def __iter__(self) -> Iterator[TensorGroup]:
        return map(self.widened, self.infos)

    def stored(self, name: str) -> TensorGroup:
        """Return the tensor as the files hold it."""
        base = self._merge.base
        experts = tuple(model.tensor(name) for model in self._merge.models)
        return TensorGroup(self.infos[name], experts, None if base is None else base.tensor(name))

    def widened(self, name: str) -> TensorGroup:
        """Return the tensor in the type that it is summed in."""
        return _widen(self.stored(name), spec=self._merge.specs[name])


def _widen(group: TensorGroup, *, spec: TensorSpec) -> TensorGroup:
    parent = None if group.parent_tensor is None else group.parent_tensor.to(spec.sum_dtype)
    return replace(group, experts=tuple(expert.to(spec.sum_dtype) for expert in group.experts), parent_tensor=parent)


@contextmanager
def _folder(out: Path, *, num_bytes: int) -> Iterator[Path]:
    """Yield a folder beside `out` that becomes it at the end, and is removed if anything fails."""
    make_folder(out.parent)
    free = shutil.disk_usage(out.parent).free
    if num_bytes > free:
        raise MergeError(f"the merge takes {num_bytes / 1e9:.2f} GB, {out.parent} has {free / 1e9:.2f} GB left")
    with replacing_folder(out) as unfinished:
        yield unfinished
