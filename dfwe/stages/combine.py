"""From models' files to a model's file: no data, no search, and a block a thread in memory."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from dfwe.errors import MergeError
from dfwe.merging.base import TensorRule
from dfwe.models.checkpoint import SINGLE, Checkpoint, Form, Writer, writing
from dfwe.stages.recipe import read_recipe

BLOCK = 2**19  # values: a result and one copy of its parts stay in a core's cache

COPIED = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "spiece.model",
    "sentencepiece.bpe.model",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
)


def combine(recipe_file: Path, *, out: Path) -> int:
    """Merges what the recipe says into the folder `out`; returns the number of tensors.

    The folder is complete or not there. Sums are taken in float32, whatever the files hold. Configuration and
    tokenizer are those of the base model, else of the first one.

    Raises:
        MergeError: a wrong recipe; tensors that are missing, of another shape, NaN or infinite; no room on the disk.
        ModelError: a model's folder or file that cannot be read.
    """
    recipe = read_recipe(recipe_file)
    if out.exists():
        raise MergeError(f"{out} exists: choose another folder, or remove it")
    models = {name: Checkpoint(Path(name)) for name in recipe.models}
    base = None if recipe.base is None else models.get(recipe.base) or Checkpoint(Path(recipe.base))
    forms = _forms(models, base=base, dtype=recipe.dtype)
    merge = _Merge(tuple(models.values()), base, forms, recipe.at(tuple(forms)))
    with _folder(out, num_bytes=sum(form.num_bytes for form in forms.values())) as folder:
        with writing(folder / SINGLE, forms) as writer:
            merge.run(writer)
        _copy_rest((base or merge.models[0]).path, folder=folder, dtype=recipe.dtype)
    return len(forms)


@dataclass(frozen=True)
class _Part:
    """Some values of one tensor, from each model."""

    name: str
    begin: int
    weights: tuple[Tensor, ...]
    parent: Tensor | None


@dataclass(frozen=True)
class _Merge:
    """What is merged, and how each tensor is."""

    models: tuple[Checkpoint, ...]
    base: Checkpoint | None
    forms: Mapping[str, Form]
    rules: Mapping[str, tuple[TensorRule, tuple[float, ...]]]

    def run(self, writer: Writer) -> None:
        """Merges and writes all parts, on as many threads as torch has."""
        with _threads() as pool:
            for _ in pool.map(lambda part: self._write(part, writer=writer), self._parts(writer.order)):
                pass  # an error stops the others

    def _parts(self, names: tuple[str, ...]) -> Iterator[_Part]:
        for name in names:
            tensors = [model.tensor(name) for model in self.models]
            parent = None if self.base is None else self.base.tensor(name)
            if not self.rules[name][0].elementwise and tensors[0].is_floating_point():
                yield _Part(name, 0, tuple(tensors), parent)
                continue
            flat = [tensor.flatten() for tensor in tensors]
            for begin in range(0, flat[0].numel(), BLOCK):
                block = slice(begin, begin + BLOCK)
                yield _Part(
                    name,
                    begin,
                    tuple(each[block] for each in flat),
                    None if parent is None else parent.flatten()[block],
                )

    def _write(self, part: _Part, *, writer: Writer) -> None:
        floating = self.forms[part.name].dtype.is_floating_point
        writer.write(part.name, self._merged(part) if floating else self._agreed(part), begin=part.begin)

    def _merged(self, part: _Part) -> Tensor:
        rule, coefficients = self.rules[part.name]
        parent = None if part.parent is None else part.parent.float()
        weights = [weight.float() for weight in part.weights]
        merged = rule.tensor(weights, coefficients=coefficients, parent=parent).to(self.forms[part.name].dtype)
        # a sum is finite exactly if its parts are, or nearly: the parts are looked at only where it is not
        if not bool(torch.isfinite(merged.sum(dtype=torch.float32))):
            self._check_finite(part.name, merged=merged)
        return merged

    def _agreed(self, part: _Part) -> Tensor:
        for model, weight in zip(self.models, part.weights, strict=True):
            if not torch.equal(weight, part.weights[0]):
                raise MergeError(
                    f"'{part.name}' holds whole numbers, which cannot be merged, and differs in {model.path}"
                )
        return part.weights[0]

    def _check_finite(self, name: str, *, merged: Tensor) -> None:
        for model in (*self.models, *((self.base,) if self.base else ())):
            bad = int((~model.tensor(name).isfinite()).sum())
            if bad:
                raise MergeError(f"{model.file_of(name)}: '{name}' has {bad} values that are NaN or infinite")
        if not bool(merged.isfinite().all()):
            kind = _kind(self.forms[name])
            raise MergeError(f"the merge of '{name}' has values too large for {kind}: choose another dtype, or weights")


@contextmanager
def _threads() -> Iterator[ThreadPoolExecutor]:
    """Torch's threads, each with work of its own: sharing every operation, they mostly wait for one another."""
    number = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(number) as pool:
            yield pool
    finally:
        torch.set_num_threads(number)


def _forms(models: Mapping[str, Checkpoint], *, base: Checkpoint | None, dtype: str | None) -> dict[str, Form]:
    """The result's tensors: every model has each, in one shape, of numbers of one kind."""
    everyone = [*models.values(), *((base,) if base else ())]
    first = everyone[0]
    for model in everyone:
        lacking = sorted(frozenset().union(*(each.names for each in everyone)) - model.names)
        if lacking:
            raise MergeError(
                f"{model.path} lacks the tensor '{lacking[0]}'"
                + (f" and {len(lacking) - 1} more" if len(lacking) > 1 else "")
                + ", which another model of the recipe has"
            )
    forms = {}
    for name in sorted(first.names):
        form = first.form(name)
        for model in everyone[1:]:
            other = model.form(name)
            if (other.shape, other.dtype.is_floating_point) != (form.shape, form.dtype.is_floating_point):
                raise MergeError(
                    f"'{name}' has shape {list(form.shape)} ({_kind(form)}) in {first.path} and {list(other.shape)} "
                    f"({_kind(other)}) in {model.path}: models of one merge must share their architecture"
                )
        changes = dtype is not None and form.dtype.is_floating_point
        forms[name] = Form(form.shape, getattr(torch, str(dtype))) if changes else form
    return forms


def _kind(form: Form) -> str:
    return str(form.dtype).removeprefix("torch.")


@contextmanager
def _folder(out: Path, *, num_bytes: int) -> Iterator[Path]:
    """A folder beside `out` that becomes it at the end, and goes if anything fails."""
    partial = out.with_name(out.name + ".partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(out.parent).free
        if num_bytes > free:
            raise MergeError(f"the merge takes {num_bytes / 1e9:.2f} GB, {out.parent} has {free / 1e9:.2f} GB left")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        yield partial
        partial.replace(out)
    except OSError as error:
        raise MergeError(f"{out} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _copy_rest(source: Path, *, folder: Path, dtype: str | None) -> None:
    for name in COPIED if source.is_dir() else ():
        if (source / name).exists():
            shutil.copyfile(source / name, folder / name)
    config = folder / "config.json"
    if dtype is not None and config.exists():
        content = json.loads(config.read_text(encoding="utf-8"))
        content |= {key: dtype for key in ("dtype", "torch_dtype") if key in content}
        config.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
