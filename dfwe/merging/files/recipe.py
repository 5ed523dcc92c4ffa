"""Read merge recipes in mergekit's format."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dfwe.errors import MergeError
from dfwe.io.strict_yaml import read_yaml
from dfwe.merging.base import MergeMethod, TensorInfo, layer_of, tensor_infos
from dfwe.merging.files.recipe_methods import RecipeMethod, recipe_method
from dfwe.merging.files.slices import LayerRange, Slice, is_embedding, read_parameters, read_slices
from dfwe.merging.files.tokenizers.aligned_vocabularies import TOKENIZER_SOURCES, TokenizerSource
from dfwe.merging.files.tokenizers.chat_templates import check_chat_template
from dfwe.models.adapters import adapter_folder
from dfwe.models.folders import SINGLE

_COPY = "passthrough"
_KEYS = ("merge_method", "models", "slices", "base_model", "parameters", "dtype", "out_dtype", "name")
_TOKENIZER_KEYS = ("tokenizer_source", "tokenizer", "chat_template")
_WITHOUT_EFFECT = ("int8_mask",)  # on results: it saves mergekit memory
_MODEL_KEYS = ("model", "parameters")
_TYPES = ("float32", "float16", "bfloat16")
_SHORT = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
_UNSUPPORTED = {  # keys of mergekit's: what to do instead
    "modules": "parts of a model are not merged apart here; list whole models under `models`",
}


@dataclass(frozen=True)
class RecipePart:
    """Hold what is set for some of the result's layers: for one slice, or for all of them."""

    parameters: tuple[Mapping[str, Any], ...]  # for all models: the recipe's, and the slice's, which come first
    by_model: tuple[Mapping[str, Any], ...]  # each model's weight and own settings
    num_layers: int | None = None  # None for all


@dataclass(frozen=True)
class Recipe:
    """Name the models that are merged, and the method and coefficients for each tensor."""

    method: RecipeMethod
    models: tuple[str, ...]  # in the method's order
    base: str | None  # the parent, for methods that need one
    dtype: str | None  # of the result; None for the smallest that holds all models' numbers
    parts: tuple[RecipePart, ...]
    base_model: str | None = None  # whose configuration the result has, and whose weights adapters change
    stacks: Mapping[str, tuple[LayerRange, ...]] = field(default_factory=dict)  # models that are made of layers
    default_weight: float | None = None
    tokenizer: TokenizerSource | None = None  # whose tokens the result has; None where all models have the same
    chat_template: str | None = None

    def at(self, tensors: Sequence[str]) -> dict[str, tuple[MergeMethod, tuple[float, ...]]]:
        """Return the method and the coefficients for each of a model's tensors."""
        return {tensor.name: self._at(*self._part_of(tensor)) for tensor in tensor_infos(tensors)}

    def _part_of(self, tensor: TensorInfo) -> tuple[TensorInfo, RecipePart]:
        """Return the part that the tensor is in, and its depth there."""
        layer = layer_of(tensor.name) if self.stacks else None
        if layer is None:
            return tensor, self.parts[0 if is_embedding(tensor.name) else -1]
        number = layer[1]
        for part in self.parts:
            num_layers = part.num_layers or 0
            if number < num_layers:
                return TensorInfo(tensor.name, number / (num_layers - 1) if num_layers > 1 else 1.0), part
            number -= num_layers
        raise AssertionError(f"{tensor.name} is in no slice")

    def _at(self, tensor: TensorInfo, part: RecipePart) -> tuple[MergeMethod, tuple[float, ...]]:
        shared: dict[str, float | bool] = {}
        for parameters in part.parameters:
            shared |= _resolve(parameters, tensor=tensor)
        weight = shared.pop("weight", self.default_weight)
        own = [
            _resolve(settings, tensor=tensor, model=model)
            for model, settings in zip(self.models, part.by_model, strict=True)
        ]
        weights = [settings.pop("weight", weight) for settings in own]
        if any(isinstance(number, bool) for number in weights):
            raise MergeError("a `weight` must be a number, not true or false")
        return self.method.build_by_model(weights, [shared | settings for settings in own])


def read_recipe(path: Path) -> Recipe:
    """Read a recipe; models' paths are relative to the folder where the command is called.

    Raises:
        MergeError: the file is missing or broken, or names a key or method that dfwe does not know.
    """
    recipe = read_yaml(path, error=MergeError)  # not OmegaConf, which takes a tenth of the command's time to import
    if not isinstance(recipe, dict):
        raise MergeError(f"{path} is not a recipe: expected `merge_method`, `models` and more")
    return parse_recipe(recipe, where=str(path))


def parse_recipe(recipe: Mapping[str, Any], *, where: str) -> Recipe:
    """Return the recipe that this content of a file means; errors as in `read_recipe` begin with `where`.

    `passthrough` is a weighted sum of one model, whose `scale` is the weight.
    """
    _check_keys(recipe, allowed=(*_KEYS, *_TOKENIZER_KEYS), where=where)
    is_copy, base = recipe.get("merge_method") == _COPY, recipe.get("base_model")
    method = recipe_method("linear" if is_copy else recipe.get("merge_method"), where=where)
    if not isinstance(base, str | None):
        raise MergeError(f"{where}: `base_model` must be a folder, not {base!r}")
    if "slices" in recipe and "models" in recipe:
        raise MergeError(f"{where} has both `models` and `slices`: leave one of them out")
    weight = "scale" if is_copy else "weight"
    names = (weight, *(() if is_copy else method.model_settings))
    if "slices" in recipe:
        listing = _list_slices(read_slices(recipe["slices"], where=where), base=base, names=names, where=where)
    else:
        listing = _list_models(recipe.get("models"), base=base, names=names, where=where)
    parent = None if is_copy else listing.parent
    is_extra = parent not in (None, *listing.names) and not method.merges_base(len(listing.names))
    if is_extra and has_adapters(listing.names):
        parent = listing.names[0] if method.goes_from_start else None  # the base model is the adapters' alone
    models = listing.names if is_copy else method.models(listing.names, base=parent)
    if not models:
        raise MergeError(f"{where} names no model to merge")
    if is_copy and len(models) > 1:
        raise MergeError(f"{where}: {_COPY} copies one model, not {len(models)}: choose another merge_method")
    shared = ({"normalize": False} if is_copy else {}) | _parameters(recipe, where=where)
    parts = tuple(
        RecipePart(
            tuple(_as_weight(parameters, name=weight) for parameters in (shared, part.parameters)),
            tuple(_as_weight(part.by_model.get(model, {}), name=weight) for model in models),
            part.num_layers,
        )
        for part in listing.parts
    )
    dtype = _dtype(recipe.get("out_dtype") or recipe.get("dtype"), where=where)
    default_weight = 1.0 if is_copy else None
    return Recipe(
        method,
        models,
        parent,
        dtype,
        parts,
        base,
        listing.stacks,
        default_weight,
        tokenizer=_tokenizer(recipe, where=where),
        chat_template=_chat_template(recipe.get("chat_template"), where=where),
    )


def has_adapters(models: Sequence[str]) -> bool:
    """Return whether one of the models that a recipe names is an adapter's folder."""
    return any(adapter_folder(Path(model).expanduser()) for model in models)


def _tokenizer(recipe: Mapping[str, Any], *, where: str) -> TokenizerSource | None:
    """Return whose tokens the result has, from `tokenizer_source` or from `tokenizer` with its `source`."""
    entry = recipe.get("tokenizer")
    if entry is not None and not (isinstance(entry, Mapping) and set(entry) == {"source"}):
        raise MergeError(f"{where}: `tokenizer` must have `source` alone, such as union: {entry!r}")
    sources = [source for source in (recipe.get("tokenizer_source"), (entry or {}).get("source")) if source is not None]
    if len(sources) > 1:
        raise MergeError(f"{where} has both `tokenizer_source` and `tokenizer`: leave one of them out")
    return _tokenizer_source(sources[0], where=f"{where}: `tokenizer_source`") if sources else None


def _tokenizer_source(source: Any, *, where: str) -> TokenizerSource:
    """Return the source of the result's tokens; MergeError, which begins with `where`, if there is none such."""
    for name in TOKENIZER_SOURCES:
        if source == name:
            return name
    raise MergeError(
        f"{where} must be {' or '.join(TOKENIZER_SOURCES)}, not {source!r}: for the tokenizer of one model, name that "
        "as base_model"
    )


def _chat_template(template: Any, *, where: str) -> str | None:
    if template is not None and not isinstance(template, str):
        raise MergeError(f"{where}: `chat_template` must be auto, a name or a text, not {template!r}")
    if template is not None:
        check_chat_template(template, where=where)
    return template


def _as_weight(parameters: Mapping[str, Any], *, name: str) -> dict[str, Any]:
    """Return the parameters with that one called `weight`."""
    return {"weight" if parameter == name else parameter: value for parameter, value in parameters.items()}


@dataclass(frozen=True)
class _ListedPart:
    parameters: Mapping[str, Any]
    by_model: Mapping[str, Mapping[str, Any]]  # by the models' names
    num_layers: int | None = None


@dataclass(frozen=True)
class _Listing:
    """Hold what a recipe lists: whole models, or stacks of layers under names of ours."""

    names: tuple[str, ...]
    parent: str | None  # the base model, under the name that the list has for it
    parts: tuple[_ListedPart, ...]
    stacks: Mapping[str, tuple[LayerRange, ...]] = field(default_factory=dict)


def _list_models(entries: Any, *, base: str | None, names: Sequence[str], where: str) -> _Listing:
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) and "model" in entry for entry in entries):
        raise MergeError(f"{where} needs `models`, a list of entries with `model`")
    by_model: dict[str, Any] = {}
    locations: dict[Path, str] = {}
    for entry in entries:
        name, label = _name(entry["model"], where=where), f"{where}, model '{entry['model']}'"
        if (other := locations.setdefault(_location(name), name)) != name or name in by_model:
            as_what = "" if other == name else f", first as '{other}'"
            raise MergeError(f"{label}: it is listed twice{as_what}; give it one entry and the sum of the weights")
        _check_keys(entry, allowed=_MODEL_KEYS, where=label)
        by_model[name] = _check_own(_parameters(entry, where=label), names=names, label=label)
    parent = None if base is None else locations.get(_location(base), base)
    return _Listing(tuple(by_model), parent, (_ListedPart({}, by_model),))


def _list_slices(slices: Sequence[Slice], *, base: str | None, names: Sequence[str], where: str) -> _Listing:
    """Return stacks of the slices' first sources, second ones and so on; the base model is first in all or none."""
    rows = [sorted(item.sources, key=lambda source: not _is_base(source, base=base)) for item in slices]
    columns = [tuple(column) for column in zip(*rows, strict=True)]
    stacks = {", ".join(map(str, column)): column for column in columns}
    if len(stacks) < len(columns):
        raise MergeError(f"{where}: a slice lists the same layers of one model twice")
    parts = tuple(
        _ListedPart(
            item.parameters,
            {
                name: _check_own(source.parameters, names=names, label=f"{where}, {source}")
                for name, source in zip(stacks, row, strict=True)
            },
            item.num_layers,
        )
        for item, row in zip(slices, rows, strict=True)
    )
    has_base = all(_is_base(source, base=base) for source in columns[0])
    return _Listing(tuple(stacks), next(iter(stacks)) if has_base else None, parts, stacks)


def _is_base(source: LayerRange, *, base: str | None) -> bool:
    return base is not None and _location(source.model) == _location(base)


def _check_own(parameters: Mapping[str, Any], *, names: Sequence[str], label: str) -> Mapping[str, Any]:
    """Return one model's parameters; MergeError for one that all models must share."""
    if wrong := [name for name in parameters if name not in names]:
        raise MergeError(
            f"{label}: {', '.join(f'`{name}`' for name in wrong)} of one model alone is not merged here, only its "
            f"{', '.join(f'`{name}`' for name in names)}; set it under the recipe's `parameters`, for all models"
        )
    return parameters


def _name(model: Any, *, where: str) -> str:
    if not isinstance(model, str | int | float):
        raise MergeError(
            f"{where}: a `model` must be a folder, not {model!r}: adapters and revisions are not merged here yet"
        )
    return str(model)


def _location(name: str) -> Path:
    """Return where the model lies, however it is spelled: `base`, `./base` and `base/model.safetensors` are one."""
    path = Path(name).expanduser()
    return path.parent.resolve() if path.name == SINGLE else path.resolve()


def _dtype(name: Any, *, where: str) -> str | None:
    if name is None:
        return None
    dtype = _SHORT.get(str(name), str(name).removeprefix("torch."))
    if dtype not in _TYPES:
        raise MergeError(f"{where}: unknown dtype '{name}', expected one of {', '.join(_TYPES)}")
    return dtype


def _parameters(entry: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    parameters = read_parameters(entry, where=where)
    _refuse_unsupported(parameters, where=where)
    return {name: value for name, value in parameters.items() if name not in _WITHOUT_EFFECT}


def _refuse_unsupported(entry: Mapping[str, Any], *, where: str) -> None:
    for key, advice in _UNSUPPORTED.items():
        if key in entry:
            raise MergeError(f"{where}: `{key}`: {advice}")


def _check_keys(entry: Mapping[str, Any], *, allowed: Sequence[str], where: str) -> None:
    _refuse_unsupported(entry, where=where)
    for key in entry:
        if key not in allowed:
            raise MergeError(f"{where}: '{key}' is not known here; a recipe may have {', '.join(allowed)}")


def _resolve(settings: Mapping[str, Any], *, tensor: TensorInfo, model: str = "") -> dict[str, float | bool]:
    """Return the settings' values for the tensor, without those that have none for it."""
    labels = {name: f"the {name} of '{model}'" if model else f"`{name}`" for name in settings}
    values = {name: resolve_parameter(settings[name], tensor=tensor, label=label) for name, label in labels.items()}
    return {name: value for name, value in values.items() if value is not None}


def resolve_parameter(setting: Any, *, tensor: TensorInfo, label: str) -> float | bool | None:
    """Return the setting's value for the tensor; None if none of its filters is part of the tensor's name.

    A list of numbers is interpolated over the depth. `label` names the setting in messages.

    Raises:
        MergeError: the setting has another form, or is not a finite number.
    """
    if isinstance(setting, Mapping):
        setting = [setting]
    if not isinstance(setting, list):
        return None if setting is None else _scalar(setting, label=label)
    if setting and not any(isinstance(entry, Mapping) for entry in setting):
        return _between([_scalar(entry, label=label) for entry in setting], depth=tensor.depth)
    for entry in setting:
        if not isinstance(entry, Mapping) or "value" not in entry or not entry.keys() <= {"value", "filter"}:
            raise MergeError(f"{label}: a list must have numbers, or entries with `value` and `filter`, not {entry}")
        if entry.get("filter") in (None, "*") or str(entry["filter"]) in tensor.name:
            return resolve_parameter(entry["value"], tensor=tensor, label=label)
    return None


def _between(points: list[float | bool], *, depth: float) -> float | bool:
    position = depth * (len(points) - 1)
    left = int(position)
    if any(isinstance(point, bool) for point in points):
        return points[left]
    right, share = min(left + 1, len(points) - 1), position - left
    return (1.0 - share) * points[left] + share * points[right]


def _scalar(setting: Any, *, label: str) -> float | bool:
    """Return true, false, or a finite number; YAML reads 1e-3 as text."""
    if isinstance(setting, bool):
        return setting
    try:
        number = float(setting)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise MergeError(f"{label} must be a number, true or false, not {setting!r}")
    return number
