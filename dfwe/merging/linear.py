"""The convex mixture of experts: equation 1 of Derivative Free Weight-space Ensembling (Ninalga, 2023)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dfwe.merging.base import Factors, Mixing, Traits
from dfwe.merging.place import Place
from dfwe.merging.recipe_rule import RecipeRule, given, take, with_base


@dataclass(frozen=True)
class Linear(Mixing, RecipeRule):
    """theta(A) = sum_i alpha_i theta_i; with alpha_i = 1/n it is the uniform soup (Wortsman et al., 2022).

    mergekit's `linear` divides the weights by their sum unless `normalize` is false.
    """

    @property
    def traits(self) -> Traits:
        """A vertex of the simplex is an expert."""
        return Traits(elementwise=True, vertices=True, linear=True)

    def check(self, num_experts: int) -> None:
        """Any number of experts will do."""

    def factors(self, coefficients: Sequence[float], *, place: Place, survey: Any) -> Factors:
        """The coefficients themselves."""
        return Factors(tuple(coefficients))

    @classmethod
    def merges(cls, models: Sequence[str], *, base: str | None) -> tuple[str, ...]:
        """All of them; a base model is one of them."""
        return with_base(models, base=base)

    @classmethod
    def from_recipe(
        cls, weights: Sequence[float | None], parameters: Mapping[str, Any]
    ) -> tuple[Linear, tuple[float, ...]]:
        """See RecipeRule."""
        settings = take(parameters, known={"normalize": True}, rule="linear")
        return cls(), given(weights, normalise=settings["normalize"], rule="linear")
