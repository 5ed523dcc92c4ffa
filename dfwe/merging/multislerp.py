"""Spherical interpolation of any number of models: mergekit's multislerp (Goddard, 2025)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from dfwe.errors import MergeError
from dfwe.merging.base import Piece, Rule, Traits, weighted_sum
from dfwe.merging.inner_products import inner_products
from dfwe.merging.recipe_rule import RecipeRule, given, take
from dfwe.values.allowed import Positive


@dataclass(frozen=True)
class Multislerp(Rule, RecipeRule):
    """theta = o + r m / |m|, m = sum_i alpha_i x_i / (|x_i| + eps), r = sum_i alpha_i |x_i|, for each tensor.

    x_i = theta_i - o; the origin o is 0 or the parent. Directions and lengths are averaged apart, so that, unlike in
    a linear mixture, nothing is lost where experts point away from each other. Directions that cancel (|m| < eps) are
    an error, but two experts are then mixed linearly.

    Variant: mergekit 0.1.5's. It goes on to average the experts in the tangent space at m / |m|, which adds nothing:
    the tangent vectors x_i / |x_i| - <x_i / |x_i|, m> m / |m|^2 with these weights add up to 0.
    """

    eps: Positive
    about_parent: bool | None  # whether the origin is the parent; None: where there is one, as in recipes

    @property
    def traits(self) -> Traits:
        """A vertex is an expert; with what was found before, every value is a weighted sum."""
        return Traits(parent=self.about_parent is True, elementwise=True, vertices=True)

    def check(self, num_experts: int) -> None:
        """MergeError for an eps that is not positive."""
        if not self.eps > 0:
            raise MergeError(f"multislerp: eps must be greater than 0, not {self.eps}")

    def examine(self, piece: Piece, *, survey: Any) -> Float[np.ndarray, "experts experts"]:
        """The experts' inner products, seen from the origin."""
        return inner_products(piece, about_parent=self._about_parent(piece))

    def tensor(
        self, piece: Piece, *, coefficients: Sequence[float], found: Float[np.ndarray, "experts experts"]
    ) -> Float[Tensor, "*shape"]:
        """The weighted sum that it comes to; MergeError where the directions cancel."""
        factors = self._factors(np.array(coefficients), products=found, tensor=piece.place.tensor)
        if not self._about_parent(piece):
            return weighted_sum(piece.experts, factors)
        return weighted_sum([piece.base, *piece.experts], [1.0 - sum(factors), *factors])

    def _about_parent(self, piece: Piece) -> bool:
        return piece.parent is not None if self.about_parent is None else self.about_parent

    def _factors(self, weights: np.ndarray, *, products: np.ndarray, tensor: str) -> list[float]:
        lengths = np.sqrt(np.diag(products))
        if len(weights) == 1 or float(lengths.max()) == 0.0:
            return [float(weight) for weight in weights]
        directions = weights / (lengths + self.eps)
        norm = math.sqrt(max(0.0, float(directions @ products @ directions)))
        if norm < self.eps and len(weights) > 2:
            raise MergeError(
                f"multislerp: in '{tensor}' the experts' directions cancel with the coefficients "
                f"{', '.join(f'{weight:.6g}' for weight in weights)}: choose others, or a linear rule"
            )
        factors = weights if norm < self.eps else directions * (float(weights @ lengths) / norm)
        return [float(factor) for factor in factors]

    @classmethod
    def merges(cls, models: Sequence[str], *, base: str | None) -> tuple[str, ...]:
        """All but the base model, which is the origin where there is one."""
        return tuple(model for model in models if model != base)

    @classmethod
    def from_recipe(
        cls, weights: Sequence[float | None], parameters: Mapping[str, Any]
    ) -> tuple[Multislerp, tuple[float, ...]]:
        """See RecipeRule."""
        settings = take(parameters, known={"normalize_weights": True, "eps": 1e-8}, rule="multislerp")
        coefficients = given(weights, normalise=settings["normalize_weights"], rule="multislerp")
        return cls(eps=settings["eps"], about_parent=None), coefficients
