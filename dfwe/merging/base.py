"""What a merge rule is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dfwe.errors import MergeError
from dfwe.merging.experts import ExpertArray

Combine = Callable[[Float[Tensor, " experts"], Float[Tensor, " parameters"]], None]


class Rule(ABC):
    """A way to make one model of several, given a coefficient per expert."""

    @property
    @abstractmethod
    def convex(self) -> bool:
        """Whether the result is the convex mixture of the experts, so that a vertex gives an expert itself."""

    @abstractmethod
    def check(self, num_experts: int) -> None:
        """Raises MergeError where the rule's settings are out of range, or it does not merge so many experts.

        A study asks before it trains anything.
        """

    @abstractmethod
    def prepare(self, experts: ExpertArray) -> Combine:
        """A function that writes the merge with given coefficients into a flat buffer.

        What does not depend on the coefficients is computed here, once.

        Raises:
            MergeError: the rule needs something that the experts lack, such as their parent.
        """


class TensorRule(ABC):
    """A rule that merges every tensor by itself: it can go from files to a file, one tensor at a time."""

    @property
    @abstractmethod
    def elementwise(self) -> bool:
        """Whether every value is merged by itself, so that a tensor can be merged in blocks."""

    @abstractmethod
    def tensor(
        self,
        weights: Sequence[Float[Tensor, "*shape"]],
        *,
        coefficients: Sequence[float],
        parent: Float[Tensor, "*shape"] | None,
    ) -> Float[Tensor, "*shape"]:
        """The merge of one tensor of each expert, a new tensor; MergeError where the rule cannot."""

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
    ) -> tuple[TensorRule, tuple[float, ...]]:
        """The rule and the coefficients that mergekit's recipe means, with mergekit's defaults.

        `weights` are the models' (None where the recipe gives none), `parameters` the rest.

        Raises:
            MergeError: a parameter is missing, unknown, or out of its range.
        """


def by_tensor(rule: TensorRule, experts: ExpertArray) -> Combine:
    """`Rule.prepare` for a rule that merges every tensor by itself."""
    views = [experts.layout.views(row) for row in experts.weights]
    parent = {} if experts.parent is None else experts.layout.views(experts.parent)

    def combine(coefficients: Float[Tensor, " experts"], out: Float[Tensor, " parameters"]) -> None:
        values = [float(value) for value in coefficients]
        with torch.no_grad():
            for name, view in experts.layout.views(out).items():
                merged = rule.tensor([each[name] for each in views], coefficients=values, parent=parent.get(name))
                view.copy_(merged)

    return combine


def weighted_sum(weights: Sequence[Float[Tensor, "*shape"]], coefficients: Sequence[float]) -> Float[Tensor, "*shape"]:
    """sum_i alpha_i theta_i as a new tensor; nothing else is allocated."""
    total = weights[0] * coefficients[0]
    for tensor, coefficient in zip(weights[1:], coefficients[1:], strict=True):
        total.add_(tensor, alpha=coefficient)
    return total


def given(weights: Sequence[float | None], *, normalise: bool, rule: str) -> tuple[float, ...]:
    """The models' weights, each of which must be there, divided by their sum if that is asked for."""
    known = tuple(weight for weight in weights if weight is not None)
    if len(known) < len(weights):
        raise MergeError(f"{rule}: every model needs a `weight`, the recipe gives {len(known)} of {len(weights)}")
    total = sum(known) if normalise else 1.0
    if abs(total) < 1e-8:
        raise MergeError(f"{rule}: the weights {list(known)} add up to 0 and cannot be normalised")
    return tuple(weight / total for weight in known)


def take(parameters: Mapping[str, Any], *, known: Mapping[str, Any], rule: str) -> dict[str, Any]:
    """The recipe's parameters over their defaults; MergeError for one that the rule does not know, or a wrong type."""
    for name, value in parameters.items():
        if name not in known:
            raise MergeError(f"{rule} has no parameter '{name}': it knows {', '.join(known) or 'none'}")
        if isinstance(known[name], bool) != isinstance(value, bool):
            kind = "true or false" if isinstance(known[name], bool) else "a number"
            raise MergeError(f"{rule}: `{name}` must be {kind}, not {value}")
    return {**known, **parameters}
