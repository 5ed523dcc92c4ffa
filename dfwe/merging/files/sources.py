"""Open the models that a recipe names: folders, files, LoRA adapters with their base models, stacks of layers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dfwe.errors import MergeError
from dfwe.merging.files.recipe import Recipe
from dfwe.merging.files.slices import LayerStack
from dfwe.merging.files.tied_tensors import with_common_names
from dfwe.merging.files.tokenizers.aligned_vocabularies import Tokenizer, align
from dfwe.models.adapters import AdaptedCheckpoint, adapter_base, adapter_folder
from dfwe.models.checkpoint import Checkpoint, TensorSource


def open_models(recipe: Recipe) -> dict[str, TensorSource]:
    """Open all models of the recipe, that of the configuration first; ModelError or MergeError for a broken one."""
    first = [recipe.base_model] if recipe.base_model and (recipe.base is None or recipe.stacks) else []
    return {name: _open(name, base=recipe.base_model) for name in dict.fromkeys((*first, *_names(recipe)))}


def merged_models(
    recipe: Recipe, opened: Mapping[str, TensorSource]
) -> tuple[dict[str, TensorSource], Tokenizer | None]:
    """Return the models to merge by the recipe's names, the base first, and the tokenizer that their rows are put to.

    Tied tensors have one set of names. The tokenizer is None where the recipe does not ask for one.

    Raises:
        MergeError: a copy of a tied tensor differs from the original; errors as in `align` and `LayerStack`.
    """
    parts = {name: opened[name] for name in _names(recipe)}
    renamed, misfits = with_common_names(tuple(parts.values()))
    if misfits:
        raise MergeError(str(next(iter(misfits.values()))))
    parts, tokenizer = dict(zip(parts, renamed, strict=True)), None
    if recipe.tokenizer is not None:
        name = recipe.base if recipe.base in parts else recipe.base_model
        base = None if name is None else parts.get(name, opened[name])
        aligned, tokenizer = align(tuple(parts.values()), base=base, source=recipe.tokenizer)
        parts = dict(zip(parts, aligned, strict=True))
    return {name: LayerStack(stack, parts) for name, stack in recipe.stacks.items()} or parts, tokenizer


def _names(recipe: Recipe) -> tuple[str, ...]:
    """Return the names of the models that are merged, or whose layers are."""
    ranges = [part.model for stack in recipe.stacks.values() for part in stack]
    return tuple(dict.fromkeys(ranges or (*((recipe.base,) if recipe.base else ()), *recipe.models)))


def _open(name: str, *, base: str | None) -> TensorSource:
    """Open a folder or file; `model+adapter` and an adapter's folder are the adapter with its base model."""
    path = Path(name).expanduser()
    if not path.exists() and "+" in name:
        before, _, after = name.rpartition("+")
        return AdaptedCheckpoint(Checkpoint(Path(before).expanduser()), Path(after).expanduser())
    if (folder := adapter_folder(path)) is None:
        return Checkpoint(path)
    is_named = base is not None and adapter_folder(Path(base).expanduser()) is None
    model = Path(base).expanduser() if base is not None and is_named else adapter_base(folder)
    if model is None or not model.exists():
        lack = "is not named there" if model is None else f"{model} is not here"
        raise MergeError(
            f"{path} is a LoRA adapter, and its base model {lack}: name a folder as the recipe's base_model, or write "
            "model+adapter"
        )
    return AdaptedCheckpoint(Checkpoint(model), folder)
