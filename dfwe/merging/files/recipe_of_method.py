"""Make the recipe of a merge that a command names by its method, models and weights alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dfwe.errors import MergeError
from dfwe.merging.files.recipe import Recipe, has_adapters, parse_recipe
from dfwe.merging.files.recipe_methods import RecipeMethod, recipe_method

_WHERE = "dfwe merge"


def recipe_of_method(
    name: str,
    models: Sequence[str],
    *,
    weights: Sequence[float] | None = None,
    base: str | None = None,
    settings: Sequence[str] = (),
) -> Recipe:
    """Return the recipe of that method; `settings` are `name=value`, weights are 1/n each if there are none.

    `base` is also what LoRA adapters change, for methods that have no base model themselves.
    Where a method goes from one model to another (`slerp`), the first one is the start.

    Raises:
        MergeError: an unknown method; another number of weights than of models; a base model that is missing or that
            the method does not have; a wrong setting.
    """
    method = recipe_method(name, where=_WHERE)
    if not models:
        raise MergeError(f"{_WHERE} {name}: name the models to merge")
    if weights is not None and len(weights) != len(models):
        raise MergeError(f"{len(models)} models and {len(weights)} weights: give each model one weight, in their order")
    if method.goes_from_start and weights is not None:
        raise MergeError(f"{name} has no weights: say how far to go by --set t=0.5, from the first model to the other")
    if method.goes_from_start and base is None:
        base = models[0]
    _check_base(base, models, method=method)
    numbers = weights or [1.0 / len(models)] * len(models)
    entries = [
        {"model": model, "parameters": {} if method.goes_from_start else {"weight": number}}
        for model, number in zip(models, numbers, strict=True)
    ]
    content = {"merge_method": name, "models": entries, "base_model": base, "parameters": _parameters(settings)}
    return parse_recipe(content, where=_WHERE)


def _check_base(base: str | None, models: Sequence[str], *, method: RecipeMethod) -> None:
    if base is None and method.default.properties.needs_parent:
        raise MergeError(f"{method.name} merges task vectors: name the model that all others started from by --base")
    is_used = base in models or method.merges_base(1) or has_adapters(models)
    if base is not None and not is_used:
        raise MergeError(f"{method.name} has no base model: leave out --base, or list {base} among the models")


def _parameters(settings: Sequence[str]) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not (name and equals and text):
            raise MergeError(f"--set {setting}: expected NAME=VALUE, such as density=0.3")
        parameters[name] = {"true": True, "false": False}.get(text.lower(), text)
    return parameters
