"""Merge models' files into a folder, without data or search."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dfwe.errors import MergeError
from dfwe.io.files import make_folder, replacing_folder
from dfwe.merging.base import MergeMethod, TensorGroup, TensorInfo, require_parent, tensor_infos
from dfwe.merging.engine import blocks, thread_pool
from dfwe.merging.files.compatibility import check_architectures, common_specs, main_dtype
from dfwe.merging.files.recipe import Recipe
from dfwe.merging.files.side_files import copy_side_files, set_num_layers
from dfwe.merging.files.sources import merged_models, open_models
from dfwe.merging.files.tokenizers.aligned_vocabularies import write_tokenizer
from dfwe.merging.files.tokenizers.chat_templates import write_chat_template
from dfwe.models.checkpoint import TensorSource, TensorSpec
from dfwe.models.shards import ShardWriter, open_shards

log = logging.getLogger(__name__)


def merge_files(recipe: Recipe, *, out: Path, max_shard_size: str = "5GB") -> int:
    """Merge models' files as the recipe says into the folder `out`; return the number of tensors.

    The folder is complete or not there. Sums are taken in float32, and in float64 for a result of that type. Without a
    `dtype` the result has the smallest that holds all models' numbers. Configuration, tokenizer and other files are
    those of the base model, else of the first one. Weights above `max_shard_size` are cut into shards.

    Raises:
        MergeError: models of different architectures; tensors that are missing, of another shape, NaN
            or infinite; no room on the disk.
        ModelError: a model's folder or file that cannot be read.
    """
    if out.exists():
        raise MergeError(f"{out} exists: choose another folder, or remove it")
    opened = open_models(recipe)
    check_architectures(tuple(opened.values()))
    models, tokenizer = merged_models(recipe, opened)
    specs = common_specs(tuple(models.values()), dtype=recipe.dtype)
    base = None if recipe.base is None else models[recipe.base]
    merge = _FileMerge(tuple(models[name] for name in recipe.models), base, specs, recipe.at(tuple(specs)))
    dtype = main_dtype(specs)
    make_folder(out.parent)
    num_bytes, free = sum(spec.num_bytes for spec in specs.values()), shutil.disk_usage(out.parent).free
    if num_bytes > free:
        raise MergeError(f"the merge takes {num_bytes / 1e9:.2f} GB, {out.parent} has {free / 1e9:.2f} GB left")
    with replacing_folder(out) as folder:
        with open_shards(folder, specs, max_shard_size=max_shard_size) as writer:
            merge.write(writer)
        paths = [model.path for model in opened.values()]
        copy_side_files(paths if tokenizer is None else paths[:1], folder=folder, dtype=dtype)
        if tokenizer is not None:
            write_tokenizer(tokenizer, folder=folder)
        if recipe.chat_template is not None:
            write_chat_template(recipe.chat_template, models=paths, folder=folder)
        for stack in list(recipe.stacks.values())[:1]:
            set_num_layers(folder, stack, paths=[opened[part.model].path for part in stack])
    if num_differing := sum(spec.is_floating and spec.dtype_name != dtype for spec in specs.values()):
        message = "%s: config.json names %s, the type of most numbers; %d of %d tensors have another"
        log.warning(message, out, dtype, num_differing, len(specs))
    return len(specs)


@dataclass(frozen=True)
class _FileMerge:
    """Merge checkpoints tensor by tensor; a block per thread is in memory if the method is elementwise.

    Iterating reads the tensors of floating-point numbers, in the type that they are summed in, as often as wished.
    """

    models: tuple[TensorSource, ...]
    base: TensorSource | None
    specs: Mapping[str, TensorSpec]
    methods: Mapping[str, tuple[MergeMethod, tuple[float, ...]]]  # with the coefficients, per tensor

    def __iter__(self) -> Iterator[TensorGroup]:
        return (self._widen(self._stored(name)) for name in self._infos)

    def write(self, writer: ShardWriter) -> None:
        """Merge and write all tensors, on as many threads as torch has."""
        for method in {method for method, _ in self.methods.values()}:
            method.check(len(self.models))
            require_parent(self.base, method=method)
        states = {method: method.prepare_model(self) for method in {self.methods[name][0] for name in self._infos}}
        with thread_pool() as pool:
            for _ in pool.map(lambda write: write(), self._tasks(writer, states=states)):
                pass  # an error stops the others

    def _tasks(self, writer: ShardWriter, *, states: Mapping[MergeMethod, Any]) -> Iterator[Callable[[], None]]:
        """Yield what writes each tensor, or each block of one."""
        for name in writer.order:
            method, _ = self.methods[name]
            if name not in self._infos:
                yield partial(self._write_equal, name, writer=writer)
            elif method.properties.is_elementwise and type(method).prepare_tensor is MergeMethod.prepare_tensor:
                for block in blocks(self._stored(name)):  # numbers are widened a block at a time
                    yield partial(self._write, block, writer=writer, state=states[method])
            else:
                yield partial(self._write_whole, name, writer=writer, state=states[method])

    def _write_whole(self, name: str, *, writer: ShardWriter, state: Any) -> None:
        group = self._widen(self._stored(name))
        tensor_state = self.methods[name][0].prepare_tensor(group, state=state)
        self._write(group, writer=writer, state=tensor_state)

    def _write_equal(self, name: str, *, writer: ShardWriter) -> None:
        """Write whole numbers, which must be the same in all models."""
        first, *rest = [model.tensor(name).to(self.specs[name].dtype) for model in self.models]
        for model, tensor in zip(self.models[1:], rest, strict=True):
            if not torch.equal(tensor, first):
                raise MergeError(f"'{name}' holds whole numbers, which cannot be merged, and differs in {model.path}")
        writer.write(name, first)

    def _write(self, group: TensorGroup, *, writer: ShardWriter, state: Any) -> None:
        name = group.info.name
        method, coefficients = self.methods[name]
        merged = method.merge_tensor(self._widen(group), coefficients=coefficients, state=state)
        merged = merged.to(self.specs[name].dtype)
        # a sum is finite exactly if its parts are, or nearly: the parts are looked at only where it is not
        sums = [merged.sum(dtype=torch.float32)]
        if method.properties.hides_bad_values:
            sums += [tensor.sum(dtype=torch.float32) for tensor in group.experts]
        if not bool(torch.stack(sums).isfinite().all()):
            self._check_finite(name, merged=merged)
        writer.write(name, merged, begin=group.begin)

    def _check_finite(self, name: str, *, merged: Tensor) -> None:
        for model in (*self.models, *((self.base,) if self.base else ())):
            bad = int((~model.tensor(name).isfinite()).sum())
            if bad:
                raise MergeError(f"{model.file_of(name)}: '{name}' has {bad} values that are NaN or infinite")
        if not bool(merged.isfinite().all()):
            dtype = self.specs[name].dtype_name
            raise MergeError(f"the merge of '{name}' has values too large for {dtype}: set another dtype, or weights")

    @cached_property
    def _infos(self) -> dict[str, TensorInfo]:
        return {info.name: info for info in tensor_infos(self.specs) if self.specs[info.name].is_floating}

    def _stored(self, name: str) -> TensorGroup:
        """Return the tensor as the files hold it."""
        experts = tuple(model.tensor(name) for model in self.models)
        return TensorGroup(self._infos[name], experts, None if self.base is None else self.base.tensor(name))

    def _widen(self, group: TensorGroup) -> TensorGroup:
        """Return the tensors in the type that they are summed in."""
        dtype = self.specs[group.info.name].sum_dtype
        parent = None if group.parent_tensor is None else group.parent_tensor.to(dtype)
        return replace(group, experts=tuple(expert.to(dtype) for expert in group.experts), parent_tensor=parent)
