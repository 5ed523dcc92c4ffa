"""Iso-C (Marczak et al., 2025, arXiv:2502.04959): isotropic merging in the common subspace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from dfwe.merging.base import Piece, Rule, Traits
from dfwe.merging.recipe_rule import TaskVectorRule, equal_unless_given, take
from dfwe.merging.spectral import average, check_averaged, is_matrix, isotropic
from dfwe.values.allowed import Pattern


@dataclass(frozen=True)
class IsoC(Rule, TaskVectorRule):
    """theta = theta_0 + scale * mean(S) U V^T for each matrix, a weighted mean for all else.

    U S V^T is the singular value decomposition of sum_i n alpha_i (theta_i - theta_0): the sum of task vectors, all
    its singular values replaced by their mean.

    Variant: FusionBench 0.2.33 and the authors' code, which take every tensor of two dimensions for a matrix,
    embeddings and position biases too. `averaged`, a regular expression, names some that are averaged instead.

    Departure: the paper has no coefficients; equal ones give its sum. Directions in which no expert differs from the
    parent stay the parent's (an SVD returns arbitrary ones, to which the mean would be given).
    """

    scale: float  # the paper's alpha
    averaged: Pattern | None

    @property
    def traits(self) -> Traits:
        """The decomposition is that of the weighted sum: one for each candidate."""
        return Traits(parent=True, late=("scale", "averaged"))

    def check(self, num_experts: int) -> None:
        """MergeError where `averaged` is no regular expression."""
        check_averaged(self.averaged, rule="iso_c")

    def tensor(self, piece: Piece, *, coefficients: Sequence[float], found: Any) -> Float[Tensor, "*shape"]:
        """The same of one tensor."""
        if not is_matrix(piece, averaged=self.averaged):
            return average(piece, coefficients=coefficients, scale=self.scale)
        # the difference first: as one sum with the parent, a small one would be lost in rounding
        mean = (piece.experts[0] - piece.base) * coefficients[0]
        for expert, coefficient in zip(piece.experts[1:], coefficients[1:], strict=True):
            mean.add_(expert - piece.base, alpha=coefficient)
        return isotropic(mean).mul_(self.scale * len(coefficients)).add_(piece.base)

    @classmethod
    def from_recipe(
        cls, weights: Sequence[float | None], parameters: Mapping[str, Any]
    ) -> tuple[IsoC, tuple[float, ...]]:
        """See RecipeRule; mergekit has no such method, the parameters are the fields."""
        settings = take(parameters, known={"scale": 1.0, "averaged": None}, rule="iso_c")
        return cls(**settings), equal_unless_given(weights, rule="iso_c")
