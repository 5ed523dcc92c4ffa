"""Read merge recipes in mergekit's format."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfwe.errors import MergeError
from dfwe.io.strict_yaml import read_yaml
from dfwe.merging.base import MergeMethod, TensorInfo, tensor_infos
from dfwe.merging.files.recipe_methods import RecipeMethod, recipe_method
from dfwe.models.folders import SINGLE

_KEYS = ("merge_method", "models", "base_model", "parameters", "dtype", "out_dtype")
_MODEL_KEYS = ("model", "parameters")
_TYPES = ("float32", "float16", "bfloat16")
_SHORT = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
_UNSUPPORTED = {  # keys of mergekit's: what to do instead
    "slices": "layers of several models are not put together here; list the models under `models`, which gives the "
    "same where the slices are all layers of all models",
    "modules": "parts of a model are not merged apart here; list whole models under `models`",
    "tokenizer_source": "tokenizers are not merged here; remove it: that of the base model is kept, else of the first "
    "model with one",
    "tokenizer": "tokenizers are not merged here; remove it: that of the base model is kept, else of the first model "
    "with one",
    "chat_template": "no template is made here; remove it, and put a chat_template.jinja into the result",
    "int8_mask": "it changes no result; remove it",
}


@dataclass(frozen=True)
class Recipe:
    """Name the models that are merged, and the method and coefficients for each tensor."""

    method: RecipeMethod
    models: tuple[str, ...]  # in the method's order
    base: str | None
    dtype: str | None  # of the result; None for the smallest that holds all models' numbers
    parameters: Mapping[str, Any]  # for all models
    weights: tuple[Any, ...]  # of each model, None if it has none

    def at(self, tensors: Sequence[str]) -> dict[str, tuple[MergeMethod, tuple[float, ...]]]:
        """Return the method and the coefficients for each of a model's tensors."""
        return {tensor.name: self._at(tensor) for tensor in tensor_infos(tensors)}

    def _at(self, tensor: TensorInfo) -> tuple[MergeMethod, tuple[float, ...]]:
        parameters = {
            name: resolve_parameter(value, tensor=tensor, label=f"`{name}`") for name, value in self.parameters.items()
        }
        shared = parameters.pop("weight", None)
        weights = [
            resolve_parameter(weight, tensor=tensor, label=f"the weight of '{model}'")
            for model, weight in zip(self.models, self.weights, strict=True)
        ]
        weights = [shared if weight is None else weight for weight in weights]
        if any(isinstance(weight, bool) for weight in weights):
            raise MergeError("a `weight` must be a number, not true or false")
        return self.method.build(weights, {name: value for name, value in parameters.items() if value is not None})


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
    """Return the recipe that this content of a file means; errors as in `read_recipe` begin with `where`."""
    _check_keys(recipe, allowed=_KEYS, where=where)
    method, base = recipe_method(recipe.get("merge_method"), where=where), recipe.get("base_model")
    if not isinstance(base, str | None):
        raise MergeError(f"{where}: `base_model` must be a folder, not {base!r}")
    weights = _weights(recipe.get("models"), where=where)
    if base is not None:  # under the name that the list has for it, if it is one of these
        base = next((model for model in weights if _location(model) == _location(base)), base)
    models = method.models(tuple(weights), base=base)
    if not models:
        raise MergeError(f"{where} names no model to merge")
    dtype = _dtype(recipe.get("out_dtype") or recipe.get("dtype"), where=where)
    parameters = _parameters(recipe, where=where)
    return Recipe(method, models, base, dtype, parameters, tuple(weights.get(model) for model in models))


def _weights(entries: Any, *, where: str) -> dict[str, Any]:
    """Return the listed models and their weights, None for a model without one."""
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) and "model" in entry for entry in entries):
        raise MergeError(f"{where} needs `models`, a list of entries with `model`")
    weights: dict[str, Any] = {}
    names: dict[Path, str] = {}
    for entry in entries:
        name, label = _name(entry["model"], where=where), f"{where}, model '{entry['model']}'"
        if (other := names.setdefault(_location(name), name)) != name or name in weights:
            as_what = "" if other == name else f", first as '{other}'"
            raise MergeError(f"{label}: it is listed twice{as_what}; give it one entry and the sum of the weights")
        _check_keys(entry, allowed=_MODEL_KEYS, where=label)
        parameters = _parameters(entry, where=label)
        weights[name] = parameters.pop("weight", None)
        if parameters:
            settings = ", ".join(f"`{parameter}`" for parameter in parameters)
            raise MergeError(
                f"{label}: {settings} of one model alone is not merged here yet, only its `weight`; set it under the "
                "recipe's `parameters`, for all models"
            )
    return weights


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
    parameters = entry.get("parameters") or {}
    if not isinstance(parameters, Mapping):
        raise MergeError(f"{where}: `parameters` must be names and values, not {parameters!r}")
    _refuse_unsupported(parameters, where=where)
    return {str(name): value for name, value in parameters.items()}


def _refuse_unsupported(entry: Mapping[str, Any], *, where: str) -> None:
    for key, advice in _UNSUPPORTED.items():
        if key in entry:
            raise MergeError(f"{where}: `{key}`: {advice}")


def _check_keys(entry: Mapping[str, Any], *, allowed: Sequence[str], where: str) -> None:
    _refuse_unsupported(entry, where=where)
    for key in entry:
        if key not in allowed:
            raise MergeError(f"{where}: '{key}' is not known here; a recipe may have {', '.join(allowed)}")


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
