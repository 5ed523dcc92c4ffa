"""Write the recipe of a merge that a study made: its files, merged by that recipe, are the study's model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml

from dfwe.errors import MergeError
from dfwe.merging.base import MergeMethod, layer_of, method_name
from dfwe.merging.files.recipe import parse_recipe
from dfwe.merging.files.recipe_methods import RecipeMethod, recipe_methods

_SAME = 1e-9  # coefficients that differ by less are one
_WHERE = "the recipe of a study's merge"
# methods that mergekit 0.1.5 has, with weights; without; with random numbers of its own (tests run it)
_MERGEKIT = (
    "linear",
    "slerp",
    "nuslerp",
    "multislerp",
    "task_arithmetic",
    "ties",
    "breadcrumbs",
    "breadcrumbs_ties",
)
_EQUAL = ("karcher", "model_stock", "ram", "sce")
_ONE_MODEL = ("arcee_fusion", "nearswap")
_DRAWN = ("dare_linear", "dare_ties", "della", "della_linear")


@dataclass(frozen=True)
class FinishedMerge:
    """Describe a merge that was made: `coefficients` are those of the experts by the names that tensors have in files.

    `experts` and `parent` are folders. `has_other_names` says that tensors had other names when they were merged.
    """

    method: MergeMethod
    experts: Sequence[str]
    parent: str
    coefficients: Mapping[str, tuple[float, ...]]
    has_other_names: bool = False


@dataclass(frozen=True)
class MergeRecipe:
    """Hold a recipe as it is written, and why mergekit does not give the same numbers by it; empty where it does."""

    content: Mapping[str, Any]
    not_in_mergekit: str = ""

    def text(self, comment: str) -> str:
        """Return the YAML below lines of comment."""
        lines = [f"# {line}".rstrip() for line in comment.splitlines()]
        return "\n".join([*lines, yaml.safe_dump(dict(self.content), sort_keys=False, width=110)])


def recipe_of_expert(folder: str) -> MergeRecipe:
    """Return the recipe of a merge that kept one expert as it is."""
    model = {"model": folder, "parameters": {"weight": 1.0}}
    return MergeRecipe(
        {"merge_method": "linear", "models": [model], "parameters": {"normalize": False}, "dtype": "float32"}
    )


def recipe_of_merge(merge: FinishedMerge) -> MergeRecipe:
    """Return the recipe, checked to mean the merge's method and its coefficients for every tensor.

    Raises:
        MergeError: no recipe can say this merge; names the reason.
    """
    if merge.has_other_names and "seed" in vars(merge.method):
        raise MergeError("its random masks follow from names that tensors have in a study alone")
    method, parameters = _method_of(merge)
    content: dict[str, Any] = {"merge_method": method.name}
    if method.default.recipe.base_model == "start":
        content |= _from_start(merge)
    else:
        content |= {"models": _models(merge), "parameters": parameters}
        if merge.method.properties.needs_parent:
            content["base_model"] = merge.parent
    content = {key: value for key, value in content.items() if value} | {"dtype": "float32"}
    _check(content, merge=merge)
    return MergeRecipe(content, _not_in_mergekit(method.name, merge=merge))


def _method_of(merge: FinishedMerge) -> tuple[RecipeMethod, dict[str, Any]]:
    """Return the recipes' method that is the merge's, and its parameters; MergeError where there is none."""
    reasons = []
    for method in recipe_methods():
        if not isinstance(merge.method, (type(method.default), *method.default.recipe.switches.values())):
            continue
        if method.default.recipe.base_model == "start":
            return method, {}
        parameters = method.parameters_of(merge.method, num_models=len(merge.experts))
        built = _about_parent(method.build([1.0] * len(merge.experts), parameters)[0], of=merge.method)
        if built == merge.method:
            return method, parameters
        reasons.append(_differing(built, merge.method))
    name = method_name(merge.method)
    if not reasons:
        raise MergeError(f"recipes have no {name}")
    raise MergeError(f"in recipes {name} cannot have {min(reasons, key=len)}")


def _about_parent(built: MergeMethod, *, of: MergeMethod) -> MergeMethod:
    """Return the method with its origin, which in a recipe follows from whether there is a base model."""
    if "about_parent" in vars(built) and type(built) is type(of):
        return replace(built, about_parent=vars(of)["about_parent"])  # type: ignore[type-var]
    return built


def _differing(built: MergeMethod, wanted: MergeMethod) -> str:
    values = {name: value for name, value in vars(wanted).items() if vars(built).get(name) != value}
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _models(merge: FinishedMerge) -> list[dict[str, Any]]:
    columns = zip(*merge.coefficients.values(), strict=True)
    names = list(merge.coefficients)
    return [
        {"model": expert, "parameters": {"weight": _by_name(names, column)}}
        for expert, column in zip(merge.experts, columns, strict=True)
    ]


def _from_start(merge: FinishedMerge) -> dict[str, Any]:
    """Return what a method that goes from the first model to the other has in place of weights."""
    shares = [row[1] / sum(row) if sum(row) else 0.0 for row in merge.coefficients.values()]
    models = [{"model": expert} for expert in merge.experts]
    return {
        "models": models,
        "base_model": merge.experts[0],
        "parameters": {"t": _by_name(list(merge.coefficients), shares)},
    }


def _by_name(names: Sequence[str], values: Sequence[float]) -> float | list[dict[str, Any]]:
    """Return one number, or filters on parts of tensors' names; the most frequent value stands last, without one.

    Of filters that a name has, the longest stands first, and the first counts.
    """
    if max(values) - min(values) < _SAME:
        return float(values[0])
    of_name = dict(zip(names, values, strict=True))
    usual = Counter(values).most_common(1)[0][0]
    filters = {part: value for name, value in of_name.items() if (part := _layer_alone(name, of_name=of_name))}
    filters = {part: value for part, value in filters.items() if value != usual}
    for name in sorted(names, key=len):
        parts = [part for part in filters if part in name]
        if filters.get(max(parts, key=len, default=""), usual) != of_name[name]:
            filters[name] = of_name[name]
    ordered = sorted(filters, key=lambda part: (-len(part), part))
    return [*({"filter": part, "value": float(filters[part])} for part in ordered), {"value": float(usual)}]


def _layer_alone(name: str, *, of_name: Mapping[str, float]) -> str:
    """Return the name's part up to its layer's number, if tensors with one value alone have it; else nothing."""
    layer = layer_of(name)
    part = "" if layer is None else f"{layer[0]}.{layer[1]}."
    return part if part and all(value == of_name[name] for other, value in of_name.items() if part in other) else ""


def _check(content: Mapping[str, Any], *, merge: FinishedMerge) -> None:
    """Check that the recipe, read again, gives every tensor its coefficients.

    Raises:
        MergeError: it does not, as where recipes divide weights by their sum.
    """
    read = parse_recipe(content, where=_WHERE).at(tuple(merge.coefficients))
    for name, wanted in merge.coefficients.items():
        weights = read[name][1]
        total = sum(wanted) if content["merge_method"] == "slerp" else 1.0
        if max(abs(a - b / total) for a, b in zip(weights, wanted, strict=True)) > _SAME:
            raise MergeError(f"in recipes the weights of {method_name(merge.method)} always add up to 1")


def _not_in_mergekit(name: str, *, merge: FinishedMerge) -> str:
    """Return why mergekit gives other numbers, or cannot run the recipe."""
    if name in _DRAWN and vars(merge.method)["density"] < 1:
        return f"mergekit draws other random masks for {name}"
    if name in _EQUAL and any(max(row) - min(row) > _SAME for row in merge.coefficients.values()):
        return f"mergekit's {name} has no weights, it counts all models alike"
    if name in _ONE_MODEL and len(merge.experts) > 1:
        return f"mergekit's {name} takes one model beside the parent"
    if name not in (*_MERGEKIT, *_EQUAL, *_DRAWN, *_ONE_MODEL):
        return f"mergekit has no {name}"
    return ""
