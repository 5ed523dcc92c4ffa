"""Reads mergekit's recipe format, as far as dfwe has its rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from dfwe.conf import conf_dir
from dfwe.errors import MergeError
from dfwe.io.strict_yaml import read_yaml
from dfwe.merging.base import Rule
from dfwe.merging.files.parameters import value
from dfwe.merging.place import Place, depths
from dfwe.merging.recipe_rule import RecipeRule
from dfwe.models.weight_files import SINGLE

_KEYS = ("merge_method", "models", "base_model", "parameters", "dtype", "out_dtype")
_MODEL_KEYS = ("model", "parameters")
_TYPES = ("float32", "float16", "bfloat16")
_SHORT = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
_LATER = {  # what mergekit knows beside: what to do instead
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
    """Which models are merged, and how each tensor is."""

    rule: type[RecipeRule]
    models: tuple[str, ...]  # in the rule's order
    base: str | None
    dtype: str | None  # of the result; None for the smallest that holds all models' numbers
    settings: Mapping[str, Any]  # the recipe's parameters for all models
    weights: tuple[Any, ...]  # of each model, None where it has none

    def at(self, tensors: Sequence[str]) -> dict[str, tuple[Rule, tuple[float, ...]]]:
        """The rule and the coefficients for each of a model's tensors."""
        return {tensor: self._at(tensor, depth=depth) for tensor, depth in depths(tensors).items()}

    def _at(self, tensor: str, *, depth: float) -> tuple[Rule, tuple[float, ...]]:
        place = Place(tensor, depth)
        settings = {name: value(setting, at=place, whose=f"`{name}`") for name, setting in self.settings.items()}
        shared = settings.pop("weight", None)
        named = zip(self.models, self.weights, strict=True)
        own = [value(weight, at=place, whose=f"the weight of '{model}'") for model, weight in named]
        weights = [shared if weight is None else weight for weight in own]
        if any(isinstance(weight, bool) for weight in weights):
            raise MergeError("a `weight` must be a number, not true or false")
        return self.rule.from_recipe(weights, {name: found for name, found in settings.items() if found is not None})


def read_recipe(path: Path) -> Recipe:
    """The recipe in that file; models' paths are relative to where the command is called.

    Raises:
        MergeError: the file is missing or broken, has a key that is not known here, or a rule that is not.
    """
    recipe = _load(path)
    _check_keys(recipe, known=_KEYS, where=str(path))
    rule, base = _rule(recipe.get("merge_method"), path=path), recipe.get("base_model")
    if not isinstance(base, str | None):
        raise MergeError(f"{path}: `base_model` must be a folder, not {base!r}")
    weights = _weights(recipe.get("models"), path=path)
    if base is not None:  # under the name that the list has for it, if it is one of these
        base = next((model for model in weights if _place(model) == _place(base)), base)
    models = rule.merges(tuple(weights), base=base)
    if not models:
        raise MergeError(f"{path} names no model to merge")
    dtype = _dtype(recipe.get("out_dtype") or recipe.get("dtype"), path=path)
    settings = _parameters(recipe, where=str(path))
    return Recipe(rule, models, base, dtype, settings, tuple(weights.get(model) for model in models))


def _load(path: Path) -> dict[str, Any]:
    # not OmegaConf, which takes a tenth of the command's time to import
    loaded = read_yaml(path, error=MergeError)
    if not isinstance(loaded, dict):
        raise MergeError(f"{path} is not a recipe: expected `merge_method`, `models` and more")
    return {str(key): content for key, content in loaded.items()}


def _rule(method: Any, *, path: Path) -> type[RecipeRule]:
    """The rule of that name in conf/merge, if it needs no data."""
    files = {file.stem: file for file in sorted((conf_dir() / "merge").glob("*.yaml"))}
    rule = _recipe_rule(files[method]) if isinstance(method, str) and method in files else None
    if rule is None:
        fitting = [name for name, file in files.items() if _recipe_rule(file)]
        raise MergeError(f"{path}: unknown merge_method '{method}', from files dfwe knows {', '.join(fitting)}")
    return rule


def _recipe_rule(file: Path) -> type[RecipeRule] | None:
    content = read_yaml(file)
    if "rule" not in content:  # what the group's options share
        return None
    rule = resolve_name(content["rule"]["_target_"])
    return rule if issubclass(rule, RecipeRule) else None


def _weights(entries: Any, *, path: Path) -> dict[str, Any]:
    """The listed models and their weights, None where a model has none."""
    if not isinstance(entries, list) or not all(isinstance(each, Mapping) and "model" in each for each in entries):
        raise MergeError(f"{path} needs `models`, a list of entries with `model`")
    weights: dict[str, Any] = {}
    places: dict[Path, str] = {}
    for entry in entries:
        name, where = _name(entry["model"], path=path), f"{path}, model '{entry['model']}'"
        if (other := places.setdefault(_place(name), name)) != name or name in weights:
            as_what = "" if other == name else f", first as '{other}'"
            raise MergeError(f"{where}: it is listed twice{as_what}; give it one entry and the sum of the weights")
        _check_keys(entry, known=_MODEL_KEYS, where=where)
        parameters = _parameters(entry, where=where)
        weights[name] = parameters.pop("weight", None)
        if parameters:
            names = ", ".join(f"`{name}`" for name in parameters)
            raise MergeError(
                f"{where}: {names} of one model alone is not merged here yet, only its `weight`; set it under the "
                "recipe's `parameters`, for all models"
            )
    return weights


def _name(model: Any, *, path: Path) -> str:
    if not isinstance(model, str | int | float):
        raise MergeError(
            f"{path}: a `model` must be a folder, not {model!r}: adapters and revisions are not merged here yet"
        )
    return str(model)


def _place(name: str) -> Path:
    """Return where the model lies, however it is spelled: `base`, `./base` and `base/model.safetensors` are one."""
    path = Path(name).expanduser()
    return path.parent.resolve() if path.name == SINGLE else path.resolve()


def _dtype(name: Any, *, path: Path) -> str | None:
    if name is None:
        return None
    dtype = _SHORT.get(str(name), str(name).removeprefix("torch."))
    if dtype not in _TYPES:
        raise MergeError(f"{path}: unknown dtype '{name}', expected one of {', '.join(_TYPES)}")
    return dtype


def _parameters(entry: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    parameters = entry.get("parameters") or {}
    if not isinstance(parameters, Mapping):
        raise MergeError(f"{where}: `parameters` must be names and values, not {parameters!r}")
    _refuse_later(parameters, where=where)
    return {str(name): setting for name, setting in parameters.items()}


def _refuse_later(found: Mapping[str, Any], *, where: str) -> None:
    for key, words in _LATER.items():
        if key in found:
            raise MergeError(f"{where}: `{key}`: {words}")


def _check_keys(found: Mapping[str, Any], *, known: Sequence[str], where: str) -> None:
    _refuse_later(found, where=where)
    for key in found:
        if key not in known:
            raise MergeError(f"{where}: '{key}' is not known here; a recipe may have {', '.join(known)}")
