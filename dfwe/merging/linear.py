"""The convex mixture of experts: equation 1 of Derivative Free Weight-space Ensembling (Ninalga, 2023)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from dfwe.merging.base import Combine, Rule, TensorRule, given, take, weighted_sum
from dfwe.merging.experts import ExpertArray
from dfwe.merging.mix import mix


@dataclass(frozen=True)
class Linear(Rule, TensorRule):
    """theta(A) = sum_i alpha_i theta_i; with alpha_i = 1/n it is the uniform soup (Wortsman et al., 2022).

    mergekit's `linear` divides the weights by their sum unless `normalize` is false.
    """

    @property
    def convex(self) -> bool:
        """A vertex of the simplex is an expert."""
        return True

    @property
    def elementwise(self) -> bool:
        """A sum is."""
        return True

    def check(self, num_experts: int) -> None:
        """Any number of experts will do."""

    def prepare(self, experts: ExpertArray) -> Combine:
        """The weighted sum, straight into the buffer: no copy of any expert."""

        def combine(coefficients: Float[Tensor, " experts"], out: Float[Tensor, " parameters"]) -> None:
            mix(experts.weights, coefficients, out=out)

        return combine

    def tensor(
        self, weights: Sequence[Tensor], *, coefficients: Sequence[float], parent: Tensor | None
    ) -> Float[Tensor, "*shape"]:
        """The weighted sum of one tensor."""
        return weighted_sum(weights, coefficients)

    @classmethod
    def merges(cls, models: Sequence[str], *, base: str | None) -> tuple[str, ...]:
        """All of them; a base model is one of them."""
        return tuple(models) if base is None or base in models else (*models, base)

    @classmethod
    def from_recipe(
        cls, weights: Sequence[float | None], parameters: Mapping[str, Any]
    ) -> tuple[Linear, tuple[float, ...]]:
        """See TensorRule."""
        settings = take(parameters, known={"normalize": True}, rule="linear")
        return cls(), given(weights, normalise=settings["normalize"], rule="linear")
