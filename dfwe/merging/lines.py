"""LiNeS (Wang et al., 2024, arXiv:2410.17146): task vectors count for more the deeper a layer lies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dfwe.merging.base import Factors, Mixing, Traits
from dfwe.merging.place import Place
from dfwe.merging.recipe_rule import TaskVectorRule, equal_unless_given, take


@dataclass(frozen=True)
class Lines(Mixing, TaskVectorRule):
    """theta = theta_0 + (alpha + beta * depth) * sum_i alpha_i (theta_i - theta_0), depth = (l - 1) / (L - 1).

    Layer l of L in its stack: an encoder and a decoder each go from 0 to 1. What is in no layer (embeddings, heads,
    last norms) has depth 0, as in the authors' code.

    Departure: the paper scales the sum of n task vectors, with alpha = 1/n; here it is their weighted mean, so that
    its alpha is 1 and its beta is n times the paper's. For one expert both are the paper's, where alpha below 1 and
    beta = 1 - alpha keep what the parent could do.
    """

    alpha: float  # at the first layer
    beta: float  # from the first layer to the last

    @property
    def traits(self) -> Traits:
        """A vertex is its expert only where nothing is scaled."""
        unscaled = self.alpha == 1.0 and self.beta == 0.0
        return Traits(parent=True, elementwise=True, vertices=unscaled, linear=True, late=("alpha", "beta"))

    def check(self, num_experts: int) -> None:
        """Any number of experts will do."""

    def factors(self, coefficients: Sequence[float], *, place: Place, survey: Any) -> Factors:
        """The coefficients scaled by depth, and what they leave of the parent."""
        scale = self.alpha + self.beta * place.depth
        scaled = tuple(scale * coefficient for coefficient in coefficients)
        return Factors(scaled, parent=1.0 - sum(scaled))

    @classmethod
    def from_recipe(
        cls, weights: Sequence[float | None], parameters: Mapping[str, Any]
    ) -> tuple[Lines, tuple[float, ...]]:
        """See RecipeRule; mergekit has no such method, the parameters are the fields."""
        settings = take(parameters, known={"alpha": 1.0, "beta": 0.5}, rule="lines")
        return cls(**settings), equal_unless_given(weights, rule="lines")
