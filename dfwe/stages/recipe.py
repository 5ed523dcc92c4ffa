"""Reads mergekit's recipe format, as far as dfwe has its rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.utils import get_class
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from dfwe.errors import MergeError
from dfwe.merging.base import TensorRule
from dfwe.schema import conf_dir

_KEYS = ("merge_method", "models", "base_model", "parameters", "dtype", "out_dtype")
_MODEL_KEYS = ("model", "parameters")
_TYPES = ("float32", "float16", "bfloat16")


@dataclass(frozen=True)
class Recipe:
    """Which models are merged, and how each tensor is."""

    method: str
    rule: type[TensorRule]
    models: tuple[str, ...]
    base: str | None
    dtype: str | None  # of the result; None for that of the first model
    settings: Mapping[str, Any]  # the recipe's parameters for all models
    weights: tuple[Any, ...]  # of each model, None where it has none

    def at(self, tensor: str) -> tuple[TensorRule, tuple[float, ...]]:
        """The rule and the coefficients for the tensor of that name."""
        settings = {name: _value(value, tensor=tensor) for name, value in self.settings.items()}
        weights = [None if weight is None else _value(weight, tensor=tensor) for weight in self.weights]
        return self.rule.from_recipe(weights, {name: value for name, value in settings.items() if value is not None})


def read_recipe(path: Path) -> Recipe:
    """The recipe in that file; models' paths are relative to where the command is called.

    Raises:
        MergeError: the file is missing or broken, has a key that is not known here, or a rule that is not.
    """
    recipe = _load(path)
    _check_keys(recipe, known=_KEYS, where=str(path))
    method = recipe.get("merge_method")
    entries = recipe.get("models")
    if not isinstance(entries, list) or not all(isinstance(each, Mapping) and "model" in each for each in entries):
        raise MergeError(f"{path} needs `models`, a list of entries with `model`")
    base = recipe.get("base_model")
    for entry in entries:
        _check_keys(entry, known=_MODEL_KEYS, where=f"{path}, model '{entry['model']}'")
    rule = _rule(method, path=path)
    models, weights = _models(entries, base=base, method=str(method), path=path)
    dtype = recipe.get("out_dtype") or recipe.get("dtype")
    if dtype is not None and dtype not in _TYPES:
        raise MergeError(f"{path}: unknown dtype '{dtype}', expected one of {', '.join(_TYPES)}")
    return Recipe(str(method), rule, models, base, dtype, dict(recipe.get("parameters") or {}), weights)


def _load(path: Path) -> dict[str, Any]:
    try:
        loaded = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    except (OSError, OmegaConfBaseException, YAMLError, UnicodeDecodeError) as error:
        raise MergeError(f"{path} is no recipe: {' '.join(str(error).split())}") from error
    if not isinstance(loaded, dict):
        raise MergeError(f"{path} is no recipe: expected `merge_method`, `models` and more")
    return {str(key): value for key, value in loaded.items()}


def _rule(method: Any, *, path: Path) -> type[TensorRule]:
    """The rule of that name in conf/merge, if it can merge tensor by tensor."""
    known = {file.stem: OmegaConf.load(file).rule._target_ for file in sorted((conf_dir() / "merge").glob("*.yaml"))}
    rules = {name: get_class(target) for name, target in known.items()}
    fitting = [name for name, rule in rules.items() if issubclass(rule, TensorRule)]
    if method not in fitting:
        raise MergeError(f"{path}: unknown merge_method '{method}', from files dfwe knows {', '.join(fitting)}")
    found: type[TensorRule] = rules[method]
    return found


def _models(
    entries: Sequence[Mapping[str, Any]], *, base: Any, method: str, path: Path
) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """The models to merge and their weights: the base goes first where it is one of two ends, else it is no expert."""
    weights = {}
    for entry in entries:
        parameters = dict(entry.get("parameters") or {})
        weights[str(entry["model"])] = parameters.pop("weight", None)
        if parameters:
            raise MergeError(f"{path}, model '{entry['model']}': unknown parameter {', '.join(parameters)}")
    if method == "slerp":
        if base is None:
            raise MergeError(f"{path}: slerp goes from `base_model` to the other model: name it")
        weights = {base: None, **weights}
    elif base in weights and weights[base] is None:
        del weights[base]
    if not weights:
        raise MergeError(f"{path} names no model to merge")
    return tuple(weights), tuple(weights.values())


def _value(setting: Any, *, tensor: str) -> Any:
    """A number, or the first of a list of {filter, value} whose filter is part of the tensor's name."""
    if not isinstance(setting, list):
        return setting
    for entry in setting:
        if not isinstance(entry, Mapping) or "value" not in entry:
            raise MergeError(f"a list of parameters must have entries with `value`, not {entry}: no layer gradients")
        if entry.get("filter") in (None, "*") or str(entry["filter"]) in tensor:
            return entry["value"]
    return None


def _check_keys(found: Mapping[str, Any], *, known: Sequence[str], where: str) -> None:
    for key in found:
        if key not in known:
            raise MergeError(f"{where}: '{key}' is not known here; a recipe may have {', '.join(known)}")
