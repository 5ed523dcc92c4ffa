"""Open the models that a recipe names: folders, files, LoRA adapters with their base models, stacks of layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dfwe.errors import MergeError
from dfwe.merging.files.recipe import Recipe
from dfwe.merging.files.slices import LayerStack
from dfwe.merging.files.tied_tensors import with_common_names
from dfwe.merging.files.tokenizers.aligned_vocabularies import Tokenizer, align
from dfwe.models.adapters import AdaptedCheckpoint, adapter_base, adapter_folder
from dfwe.models.checkpoint import Checkpoint, TensorSource


@dataclass(frozen=True)
class Sources:
    """Hold the models to merge, their base, and all models that they are made of, the one for configuration first."""

    models: tuple[TensorSource, ...]
    base: TensorSource | None
    whole: tuple[TensorSource, ...]
    by_name: Mapping[str, TensorSource]  # of the whole models

    @property
    def merged(self) -> tuple[TensorSource, ...]:
        """Models whose tensors are merged, and the base."""
        return tuple(dict.fromkeys((*((self.base,) if self.base else ()), *self.models)))

    def with_common_names(self) -> Sources:
        """Return the same with one set of names for tied tensors; MergeError where a copy differs from the original."""
        renamed, misfits = with_common_names(self.merged)
        if misfits:
            raise MergeError(str(next(iter(misfits.values()))))
        return self.replaced(renamed)

    def replaced(self, merged: Sequence[TensorSource]) -> Sources:
        """Return the same with others in place of `merged`, in its order."""
        by_model = dict(zip(self.merged, merged, strict=True))
        base = None if self.base is None else by_model[self.base]
        return replace(self, models=tuple(by_model[model] for model in self.models), base=base)


def with_tokenizer(sources: Sources, recipe: Recipe) -> tuple[Sources, Tokenizer | None]:
    """Return the sources with the rows of the recipe's tokenizer, and that tokenizer; errors as in `align`."""
    if recipe.tokenizer is None:
        return sources, None
    base = sources.base
    if base is None and recipe.base_model is not None:
        base = sources.by_name[recipe.base_model]
    aligned, tokenizer = align(sources.merged, base=base, source=recipe.tokenizer)
    return sources.replaced(aligned), tokenizer


def open_sources(recipe: Recipe) -> Sources:
    """Open all models of the recipe; ModelError or MergeError for one that cannot be read."""
    ranges = [part.model for stack in recipe.stacks.values() for part in stack]
    listed = [] if recipe.stacks else [*([recipe.base] if recipe.base else []), *recipe.models]
    first = [recipe.base_model] if recipe.base_model and recipe.base is None else []
    opened = {name: _open(name, base=recipe.base_model) for name in dict.fromkeys((*first, *listed, *ranges))}
    named = opened | {name: LayerStack(stack, opened) for name, stack in recipe.stacks.items()}
    base = None if recipe.base is None else named[recipe.base]
    return Sources(tuple(named[name] for name in recipe.models), base, tuple(opened.values()), opened)


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
