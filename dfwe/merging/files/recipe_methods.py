"""Build merge methods with mergekit's parameters and defaults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from dfwe.conf import conf_dir, option_names
from dfwe.errors import MergeError, did_you_mean
from dfwe.io.strict_yaml import read_yaml
from dfwe.merging.base import MergeMethod, require_parent
from dfwe.merging.methods.sparse import SparseByModel, SparseMethod

_OF_MASKS = ("density", "gamma", "epsilon")


@dataclass(frozen=True)
class RecipeMethod:
    """Describe a merge method that recipes can name: an option of conf/merge that needs no data."""

    name: str
    default: MergeMethod

    def models(self, listed: Sequence[str], *, base: str | None) -> tuple[str, ...]:
        """Return the models to merge in the method's order, of those that the recipe lists and its base model.

        Raises:
            MergeError: the method needs a base model, or another number of models.
        """
        experts = tuple(model for model in listed if model != base)
        require_parent(base, method=self.default)
        if self.default.properties.needs_parent or self.default.recipe.base_model == "origin":
            return experts
        if self.goes_from_start:
            if base is None:
                raise MergeError(f"{self.name} goes from `base_model` to the other model: name it")
            self.default.check(1 + len(experts))
            return (base, *experts)
        return tuple(listed) if base is None or base in listed else (*listed, base)

    @property
    def goes_from_start(self) -> bool:
        """True for a method that goes from one model, a recipe's base model, to another."""
        return self.default.recipe.base_model == "start"

    def merges_base(self, num_models: int) -> bool:
        """Return whether the method has a use for a base model beside that number of models."""
        if self.goes_from_start:
            return num_models < 2
        return self.default.properties.needs_parent or self.default.recipe.base_model == "origin"

    @property
    def model_settings(self) -> tuple[str, ...]:
        """Settings that may differ from model to model."""
        return tuple(
            name for name in _OF_MASKS if isinstance(self.default, SparseMethod) and name in vars(self.default)
        )

    def build_by_model(
        self, weights: Sequence[float | None], parameters: Sequence[Mapping[str, Any]]
    ) -> tuple[MergeMethod, tuple[float, ...]]:
        """Return the method and coefficients for parameters that may differ from model to model; errors as `build`."""
        built = [self.build(weights, of_model) for of_model in parameters]
        methods = tuple(method for method, _ in built if isinstance(method, SparseMethod))
        return SparseByModel(methods) if len(set(methods)) > 1 else built[0][0], built[0][1]

    def build(
        self, weights: Sequence[float | None], parameters: Mapping[str, Any]
    ) -> tuple[MergeMethod, tuple[float, ...]]:
        """Return the method and the coefficients that the models' weights and the recipe's parameters mean.

        Raises:
            MergeError: a weight or parameter is missing, or a parameter is unknown or of the wrong type.
        """
        recipe, defaults = self.default.recipe, vars(self.default)
        options = self._options({"lambda" if name == "scale" else name: value for name, value in parameters.items()})
        variants = [variant for name, variant in recipe.switches.items() if options.pop(name)]
        normalize = options.pop(recipe.normalize_name, None)
        rescales = options.pop("rescale", False)
        if rescales and "rescale" not in defaults:
            raise MergeError(f"{self.name}: `rescale` is for methods that drop entries at random, remove it")
        if self.goes_from_start:
            if options["t"] is None:
                raise MergeError(
                    f"{self.name} needs the parameter `t`, how far from the base model to the other one to go"
                )
            return self.default, (1.0 - options["t"], options["t"])
        settings = {"scale" if name == "lambda" else name: value for name, value in options.items()}
        whole = {name: int(value) for name, value in settings.items() if type(defaults[name]) is int}
        settings |= {name: value for name, value in whole.items() if value == settings[name]}
        if "rescale" in defaults:
            settings["rescale"] = "norm" if rescales else "none"
        if defaults.get("aggregate", "linear") != "linear":
            settings["aggregate"] = "mean" if normalize else "sum"
            settings["scale"] /= 1 if normalize else len(weights)  # mergekit does not sum over n alpha_i
            normalize = False
        if variants:
            return variants[0](**{**defaults, **settings}), self._coefficients(weights, normalize=normalize)
        return replace(self.default, **settings), self._coefficients(weights, normalize=normalize)  # type: ignore[type-var]

    def parameters_of(self, method: MergeMethod, *, num_models: int) -> dict[str, Any]:
        """Return the parameters that mean such a method's settings, as far as parameters can; `build` goes back."""
        recipe, settings = self.default.recipe, vars(method)
        options: dict[str, Any] = {name: value for name, value in settings.items() if isinstance(value, int | float)}
        if "scale" in options:
            options["lambda"] = options.pop("scale")
        if "rescale" in settings:
            options["rescale"] = settings["rescale"] == "norm"
        if recipe.normalize is not None:
            options[recipe.normalize_name] = settings.get("aggregate") == "mean"
        if settings.get("aggregate", "linear") not in ("linear", "mean"):
            options["lambda"] *= num_models  # as `build` has it
        options |= {name: True for name, variant in recipe.switches.items() if type(method) is variant}
        return {name: value for name, value in options.items() if name in self._options({})}

    def _options(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters over their defaults, by mergekit's names."""
        recipe, settings = self.default.recipe, vars(self.default)
        options: dict[str, Any] = {name: value for name, value in settings.items() if isinstance(value, int | float)}
        if "scale" in options:
            options["lambda"] = options.pop("scale")
        if "density" in options:
            options["rescale"] = settings.get("rescale") == "norm"
        if recipe.normalize is not None:
            options[recipe.normalize_name] = recipe.normalize
        if self.goes_from_start:
            options = {"t": None}
        options |= dict.fromkeys(recipe.switches, False)
        for name, value in parameters.items():
            if name not in options:
                raise MergeError(f"{self.name} has no parameter '{name}': it has {', '.join(options) or 'none'}")
            if isinstance(options[name], bool) != isinstance(value, bool):
                kind = "true or false" if isinstance(options[name], bool) else "a number"
                raise MergeError(f"{self.name}: `{name}` must be {kind}, not {value}")
        return {**options, **parameters}

    def _coefficients(self, weights: Sequence[float | None], *, normalize: bool | None) -> tuple[float, ...]:
        """Return the weights, divided by their sum if `normalize`; None allows to leave out all of them."""
        if normalize is None and all(weight is None for weight in weights):
            return (1.0 / len(weights),) * len(weights)
        numbers = tuple(weight for weight in weights if weight is not None)
        if len(numbers) < len(weights):
            raise MergeError(
                f"{self.name}: every model needs a `weight`, the recipe gives {len(numbers)} of {len(weights)}"
            )
        total = 1.0 if normalize is False else sum(numbers)
        if abs(total) < 1e-8:
            raise MergeError(f"{self.name}: the weights {list(numbers)} add up to 0 and cannot be normalised")
        return tuple(weight / total for weight in numbers)


def recipe_method(name: Any, *, where: str) -> RecipeMethod:
    """Return the method of that name; MergeError, which begins with `where`, if no method is called so."""
    files = _files()
    if isinstance(name, str) and name in option_names("merge/search"):
        raise MergeError(
            f"{where}: {name} searches coefficients, which takes labelled rows: name a method such as linear here, or "
            "run `dfwe search`"
        )
    method = _load(files[name]) if isinstance(name, str) and name in files else None
    if method is None:
        names = [other for other, file in files.items() if _load(file)]
        raise MergeError(
            f"{where}: unknown merge_method '{name}'{did_you_mean(str(name), names)}, from files dfwe knows "
            + ", ".join(names)
        )
    return RecipeMethod(name, method)


def recipe_methods() -> Iterator[RecipeMethod]:
    """Yield all methods that recipes can name, in the order of their names."""
    for name, file in _files().items():
        if (method := _load(file)) is not None:
            yield RecipeMethod(name, method)


def _files() -> dict[str, Path]:
    searches, names = option_names("merge/search"), option_names("merge")
    return {name: conf_dir() / "merge" / f"{name}.yaml" for name in names if name not in searches}


def _load(file: Path) -> MergeMethod | None:
    """Return the method of that option in conf/merge; None for shared options and methods that need data.

    None, too, for an option that is another's method with rows beside it, or with a search of its own (`uniform`).
    """
    content = read_yaml(file)
    settings = content.get("method")
    if settings is None or content.get("baselines") or "search" in content:
        return None
    method: MergeMethod = resolve_name(settings.pop("_target_"))(**settings)
    method = replace(method, **method.recipe.defaults)  # type: ignore[type-var]
    return None if method.properties.needs_statistics else method
