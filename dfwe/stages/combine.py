"""From models' files to a model's file: no data, no search, one tensor in memory at a time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from dfwe.errors import MergeError
from dfwe.models.checkpoint import SINGLE, Checkpoint, Form, writing
from dfwe.stages.recipe import Recipe, read_recipe

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
    with _folder(out, num_bytes=sum(form.num_bytes for form in forms.values())) as folder:
        with writing(folder / SINGLE, forms) as writer, torch.no_grad():
            for name in writer.order:
                writer.write(name, _merged(name, recipe=recipe, models=models, base=base).to(forms[name].dtype))
        _copy_rest((base or next(iter(models.values()))).path, folder=folder, dtype=recipe.dtype)
    return len(forms)


def _merged(name: str, *, recipe: Recipe, models: Mapping[str, Checkpoint], base: Checkpoint | None) -> Tensor:
    weights = [model.tensor(name) for model in models.values()]
    if not weights[0].is_floating_point():
        return _agreed(name, weights=weights, models=models)
    rule, coefficients = recipe.at(name)
    parent = None if base is None else base.tensor(name).float()
    merged = rule.tensor([weight.float() for weight in weights], coefficients=coefficients, parent=parent)
    # a sum is finite exactly if its parts are, or nearly: the parts are looked at only where it is not
    if not bool(torch.isfinite(merged.sum())):
        _check_finite(name, models=models, base=base)
    return merged


def _agreed(name: str, *, weights: list[Tensor], models: Mapping[str, Checkpoint]) -> Tensor:
    for model, weight in zip(models.values(), weights, strict=True):
        if not torch.equal(weight, weights[0]):
            raise MergeError(f"'{name}' holds whole numbers, which cannot be merged, and differs in {model.path}")
    return weights[0]


def _check_finite(name: str, *, models: Mapping[str, Checkpoint], base: Checkpoint | None) -> None:
    for model in (*models.values(), *((base,) if base else ())):
        bad = int((~model.tensor(name).isfinite()).sum())
        if bad:
            raise MergeError(f"{model.file_of(name)}: '{name}' has {bad} values that are NaN or infinite")


def _forms(models: Mapping[str, Checkpoint], *, base: Checkpoint | None, dtype: str | None) -> dict[str, Form]:
    """The result's tensors: every model has each, in one shape."""
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
            if model.form(name).shape != form.shape:
                raise MergeError(
                    f"'{name}' has shape {list(form.shape)} in {first.path} and {list(model.form(name).shape)} in "
                    f"{model.path}: models of one merge must share their architecture"
                )
        changes = dtype is not None and form.dtype.is_floating_point
        forms[name] = Form(form.shape, getattr(torch, str(dtype))) if changes else form
    return forms


@contextmanager
def _folder(out: Path, *, num_bytes: int) -> Iterator[Path]:
    """A folder beside `out` that becomes it at the end, and goes if anything fails."""
    out.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(out.parent).free
    if num_bytes > free:
        raise MergeError(f"the merge takes {num_bytes / 1e9:.2f} GB, {out.parent} has {free / 1e9:.2f} GB left")
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
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
