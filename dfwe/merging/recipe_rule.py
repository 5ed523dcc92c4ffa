"""What a rule must tell so that recipes in mergekit's format can ask for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from dfwe.errors import MergeError
from dfwe.merging.base import Rule, check_parent


class RecipeRule(ABC):
    """A rule that goes from files to a file: it needs no data."""

    @classmethod
    @abstractmethod
    def merges(cls, models: Sequence[str], *, base: str | None) -> tuple[str, ...]:
        """Which models of mergekit's recipe are merged, in the order that `tensor` takes them.

        `models` are those that the recipe lists, `base` its base model.

        Raises:
            MergeError: the rule needs a base model.
        """

    @classmethod
    @abstractmethod
    def from_recipe(
        cls, weights: Sequence[float | None], parameters: Mapping[str, Any]
    ) -> tuple[Rule, tuple[float, ...]]:
        """The rule and the coefficients that mergekit's recipe means, with mergekit's defaults.

        `weights` are the models' (None where the recipe gives none), `parameters` the rest.

        Raises:
            MergeError: a parameter is missing, unknown, or out of its range.
        """


class TaskVectorRule(RecipeRule):
    """A recipe's rule about task vectors: it merges all models but the base model, whose task vector is zero."""

    @classmethod
    def merges(cls, models: Sequence[str], *, base: str | None) -> tuple[str, ...]:
        """All but the base model, which must be there."""
        check_parent(base, rule=cls)
        return tuple(model for model in models if model != base)


def with_base(models: Sequence[str], *, base: str | None) -> tuple[str, ...]:
    """All of them; a base model is one of them."""
    return tuple(models) if base is None or base in models else (*models, base)


def given(weights: Sequence[float | None], *, normalise: bool, rule: str) -> tuple[float, ...]:
    """The models' weights, each of which must be there, divided by their sum if that is asked for."""
    known = tuple(weight for weight in weights if weight is not None)
    if len(known) < len(weights):
        raise MergeError(f"{rule}: every model needs a `weight`, the recipe gives {len(known)} of {len(weights)}")
    total = sum(known) if normalise else 1.0
    if abs(total) < 1e-8:
        raise MergeError(f"{rule}: the weights {list(known)} add up to 0 and cannot be normalised")
    return tuple(weight / total for weight in known)


def equal_unless_given(weights: Sequence[float | None], *, rule: str) -> tuple[float, ...]:
    """The models' weights divided by their sum; equal ones where the recipe gives none at all."""
    if all(weight is None for weight in weights):
        return (1.0 / len(weights),) * len(weights)
    return given(weights, normalise=True, rule=rule)


def take(parameters: Mapping[str, Any], *, known: Mapping[str, Any], rule: str) -> dict[str, Any]:
    """The recipe's parameters over their defaults; MergeError for one that the rule does not know, or a wrong type."""
    for name, value in parameters.items():
        if name not in known:
            raise MergeError(f"{rule} has no parameter '{name}': it knows {', '.join(known) or 'none'}")
        if isinstance(known[name], bool) != isinstance(value, bool):
            kind = "true or false" if isinstance(known[name], bool) else "a number"
            raise MergeError(f"{rule}: `{name}` must be {kind}, not {value}")
    return {**known, **parameters}
