"""TSV-Merge (Gargiulo et al., 2024, arXiv:2412.00081): the experts' main singular directions, made orthogonal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dfwe.merging.base import Piece, Rule, Traits
from dfwe.merging.recipe_rule import TaskVectorRule, equal_unless_given, take
from dfwe.merging.spectral import Factors, average, check_averaged, decompose, is_matrix, orthogonal
from dfwe.values.allowed import Pattern


@dataclass(frozen=True)
class TsvM(Rule, TaskVectorRule):
    """theta = theta_0 + scale * U' diag(n alpha_i S_i) V'^T for each matrix, a weighted mean for all else.

    U_i S_i V_i^T are the first k = floor(r / n) singular directions of expert i's task vector, r the smaller side of
    the matrix and n the number of experts; U' is the orthogonal matrix nearest to [U_1 ... U_n], V' likewise.
    A matrix whose smaller side is less than n keeps no direction and stays the parent's.

    Variant: FusionBench 0.2.33 and the authors' code, which take every tensor of two dimensions for a matrix,
    embeddings and position biases too. `averaged`, a regular expression, names some that are averaged instead.

    Departure: the paper has no coefficients; n alpha_i scales expert i's singular values, so that equal ones give
    the paper's sum. Where experts share a direction exactly, U' has it once (an SVD fills in arbitrary ones).
    """

    scale: float  # the paper's alpha
    averaged: Pattern | None

    @property
    def traits(self) -> Traits:
        """A vertex keeps an n-th of its expert's directions. The directions are found once."""
        return Traits(parent=True, late=("scale",))

    def check(self, num_experts: int) -> None:
        """MergeError where `averaged` is no regular expression."""
        check_averaged(self.averaged, rule="tsv_m")

    def examine(self, piece: Piece, *, survey: Any) -> Factors | None:
        """U', all S_i and V', a matrix of the tensor's shape and one of its smaller side; None of what is averaged."""
        if not is_matrix(piece, averaged=self.averaged):
            return None
        rank = min(piece.base.shape) // len(piece.experts)
        found = [decompose(expert - piece.base, rank=rank) for expert in piece.experts]
        return Factors(
            orthogonal(torch.cat([each.left for each in found], 1)).to(piece.base),
            torch.cat([each.values for each in found]).to(piece.base),
            orthogonal(torch.cat([each.right for each in found], 1)).to(piece.base),
        )

    def tensor(self, piece: Piece, *, coefficients: Sequence[float], found: Factors | None) -> Float[Tensor, "*shape"]:
        """One matrix product."""
        if found is None:
            return average(piece, coefficients=coefficients, scale=self.scale)
        number = len(coefficients)
        weights = torch.tensor(coefficients).mul(self.scale * number).to(found.values)
        values = found.values * weights.repeat_interleave(len(found.values) // number)
        return torch.addmm(piece.base, found.left * values, found.right.T)

    @classmethod
    def from_recipe(
        cls, weights: Sequence[float | None], parameters: Mapping[str, Any]
    ) -> tuple[TsvM, tuple[float, ...]]:
        """See RecipeRule; mergekit has no such method, the parameters are the fields."""
        settings = take(parameters, known={"scale": 1.0, "averaged": None}, rule="tsv_m")
        return cls(**settings), equal_unless_given(weights, rule="tsv_m")
