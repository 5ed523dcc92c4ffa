"""From models' files to a model's file: no data, no search, and a block a thread in memory."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dfwe.errors import MergeError
from dfwe.io.files import make_folder, replacing_folder
from dfwe.merging.base import Piece, Rule, check_parent
from dfwe.merging.driver import blocks, threads
from dfwe.merging.files.architecture import check_architectures
from dfwe.merging.files.recipe import read_recipe
from dfwe.merging.files.side_files import copy_side_files
from dfwe.merging.files.tensor_specs import common_forms, kind, main_type, wide
from dfwe.merging.place import Place, depths
from dfwe.models.checkpoint import Checkpoint, Form, Writer, writing
from dfwe.models.weight_files import SINGLE


def combine(recipe_file: Path, *, out: Path) -> int:
    """Merges what the recipe says into the folder `out`; returns the number of tensors.

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
    everyone = tuple(dict.fromkeys((*((base,) if base else ()), *models.values())))
    check_architectures(everyone)
    forms = common_forms(everyone, dtype=recipe.dtype)
    merge = _Merge(tuple(models.values()), base, forms, recipe.at(tuple(forms)))
    with _folder(out, num_bytes=sum(form.num_bytes for form in forms.values())) as folder:
        with writing(folder / SINGLE, forms) as writer:
            merge.run(writer)
        copy_side_files([model.path for model in everyone], folder=folder, dtype=main_type(forms))
    if others := [form for form in forms.values() if form.dtype.is_floating_point and kind(form) != main_type(forms)]:
        log.warning(
            "%s: config.json names %s, the type of most numbers; %d of %d tensors have another",
            out,
            main_type(forms),
            len(others),
            len(forms),
        )
    return len(forms)


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Pieces:
    """The models' tensors that are numbers to merge, as often as a rule wants to go through them."""

    models: tuple[Checkpoint, ...]
    base: Checkpoint | None
    forms: Mapping[str, Form]
    depths: Mapping[str, float]

    def __iter__(self) -> Iterator[Piece]:
        return (self.of(name) for name in self.depths)

    def of(self, name: str) -> Piece:
        dtype = wide(self.forms[name])
        parent = None if self.base is None else self.base.tensor(name).to(dtype)
        experts = tuple(model.tensor(name).to(dtype) for model in self.models)
        return Piece(Place(name, self.depths[name]), experts, parent)


@dataclass(frozen=True)
class _Merge:
    """What is merged, and how each tensor is."""

    models: tuple[Checkpoint, ...]
    base: Checkpoint | None
    forms: Mapping[str, Form]
    rules: Mapping[str, tuple[Rule, tuple[float, ...]]]

    def run(self, writer: Writer) -> None:
        """Merges and writes all parts, on as many threads as torch has."""
        floating = {name: depth for name, depth in depths(self.forms).items() if self._floats(name)}
        pieces = _Pieces(self.models, self.base, self.forms, floating)
        for rule in {rule for rule, _ in self.rules.values()}:
            rule.check(len(self.models))
            if rule.traits.parent:
                check_parent(self.base, rule=rule)
        surveys = {rule: rule.survey(pieces) for rule in {self.rules[name][0] for name in floating}}
        with threads() as pool:
            for _ in pool.map(lambda write: write(), self._parts(writer, pieces=pieces, surveys=surveys)):
                pass  # an error stops the others

    def _floats(self, name: str) -> bool:
        return self.forms[name].dtype.is_floating_point

    def _parts(self, writer: Writer, *, pieces: _Pieces, surveys: Mapping[Rule, Any]) -> Iterator[Callable[[], None]]:
        """What is to be done, the parts of an elementwise merge apart."""
        for name in writer.order:
            rule, _ = self.rules[name]
            if not self._floats(name):
                yield partial(self._write_agreed, name, writer=writer)
            elif rule.traits.elementwise and type(rule).examine is Rule.examine:
                yield from self._blocks(name, writer=writer, found=surveys[rule])
            else:
                yield partial(self._write_whole, name, writer=writer, pieces=pieces, survey=surveys[rule])

    def _blocks(self, name: str, *, writer: Writer, found: Any) -> Iterator[Callable[[], None]]:
        """Blocks of the tensors as the files hold them: numbers are widened a block at a time."""
        place = Place(name, depths(self.forms)[name])
        parent = None if self.base is None else self.base.tensor(name)
        stored = Piece(place, tuple(model.tensor(name) for model in self.models), parent)
        for begin, part in blocks(stored):
            yield partial(self._write_block, part, begin=begin, writer=writer, found=found)

    def _write_block(self, part: Piece, *, begin: int, writer: Writer, found: Any) -> None:
        dtype = wide(self.forms[part.place.tensor])
        widened = Piece(
            part.place,
            tuple(each.to(dtype) for each in part.experts),
            None if part.parent is None else part.parent.to(dtype),
            begin=begin,
        )
        writer.write(part.place.tensor, self._merged(widened, found=found), begin=begin)

    def _write_whole(self, name: str, *, writer: Writer, pieces: _Pieces, survey: Any) -> None:
        piece, rule = pieces.of(name), self.rules[name][0]
        writer.write(name, self._merged(piece, found=rule.examine(piece, survey=survey)), begin=0)

    def _merged(self, piece: Piece, *, found: Any) -> Tensor:
        name = piece.place.tensor
        rule, coefficients = self.rules[name]
        merged = rule.tensor(piece, coefficients=coefficients, found=found).to(self.forms[name].dtype)
        # a sum is finite exactly if its parts are, or nearly: the parts are looked at only where it is not
        if not bool(torch.isfinite(merged.sum(dtype=torch.float32))):
            self._check_finite(name, merged=merged)
        return merged

    def _write_agreed(self, name: str, *, writer: Writer) -> None:
        """Whole numbers, which must be everybody's."""
        first, *others = [model.tensor(name).to(self.forms[name].dtype) for model in self.models]
        for model, tensor in zip(self.models[1:], others, strict=True):
            if not torch.equal(tensor, first):
                raise MergeError(f"'{name}' holds whole numbers, which cannot be merged, and differs in {model.path}")
        writer.write(name, first, begin=0)

    def _check_finite(self, name: str, *, merged: Tensor) -> None:
        for model in (*self.models, *((self.base,) if self.base else ())):
            bad = int((~model.tensor(name).isfinite()).sum())
            if bad:
                raise MergeError(f"{model.file_of(name)}: '{name}' has {bad} values that are NaN or infinite")
        if not bool(merged.isfinite().all()):
            dtype = kind(self.forms[name])
            raise MergeError(f"the merge of '{name}' has values too large for {dtype}: set another dtype, or weights")


@contextmanager
def _folder(out: Path, *, num_bytes: int) -> Iterator[Path]:
    """A folder beside `out` that becomes it at the end, and goes if anything fails."""
    make_folder(out.parent)
    free = shutil.disk_usage(out.parent).free
    if num_bytes > free:
        raise MergeError(f"the merge takes {num_bytes / 1e9:.2f} GB, {out.parent} has {free / 1e9:.2f} GB left")
    with replacing_folder(out) as unfinished:
        yield unfinished
