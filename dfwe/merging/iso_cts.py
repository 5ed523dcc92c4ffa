"""Iso-CTS (Marczak et al., 2025, arXiv:2502.04959): isotropic merging in common and task-specific subspaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dfwe.errors import MergeError
from dfwe.merging.base import Piece, Rule, Traits, on_simplex, weighted_sum
from dfwe.merging.recipe_rule import TaskVectorRule, equal_unless_given, take
from dfwe.merging.spectral import Factors, average, check_averaged, decompose, is_matrix, orthogonal
from dfwe.values.allowed import Pattern, Share


@dataclass(frozen=True)
class IsoCts(Rule, TaskVectorRule):
    """theta = theta_0 + scale * mean(S) U' V'^T for each matrix, a weighted mean for all else.

    Of r directions (the smaller side of the matrix), k are the first singular directions of the sum of task vectors
    sum_i n alpha_i t_i, t_i = theta_i - theta_0; the other r - k are shared out among the experts, of each the first
    directions of t_i - U_k U_k^T t_i. S holds the singular values of all of them, U' is the orthogonal matrix nearest
    to all left singular vectors side by side, V' likewise.

    Variant: FusionBench 0.2.33 and the authors' code. r - k is the multiple of n nearest to r - floor(common * r)
    (halves to the even multiple), and every tensor of two dimensions is a matrix, embeddings and position biases too.
    `averaged`, a regular expression, names some that are averaged instead.

    Departure: the paper has no coefficients. Here n alpha_i also scales the singular values of expert i's directions,
    of which it gets the share alpha_i of the r - k (largest remainders, the earlier expert first). Directions in
    which no expert differs from the parent stay the parent's (an SVD returns arbitrary ones).
    """

    scale: float  # the paper's alpha
    common: Share  # share of directions that are common, in [0, 1]; 1 is Iso-C
    averaged: Pattern | None

    @property
    def traits(self) -> Traits:
        """All decompositions are those of weighted sums, or of what these leave: n + 1 for each candidate."""
        return Traits(parent=True, late=("scale", "common", "averaged"))

    def check(self, num_experts: int) -> None:
        """MergeError for a share outside [0, 1], or where `averaged` is no regular expression."""
        if not 0 <= self.common <= 1:
            raise MergeError(f"iso_cts: common must be in [0, 1], not {self.common}")
        check_averaged(self.averaged, rule="iso_cts")

    def tensor(self, piece: Piece, *, coefficients: Sequence[float], found: Any) -> Float[Tensor, "*shape"]:
        """The same of one tensor; MergeError for coefficients that are not on the simplex."""
        on_simplex(coefficients, rule="iso_cts")
        if not is_matrix(piece, averaged=self.averaged):
            return average(piece, coefficients=coefficients, scale=self.scale)
        parts = self._directions(piece, weights=[len(coefficients) * each for each in coefficients])
        values = torch.cat([part.values for part in parts])
        left = orthogonal(torch.cat([part.left for part in parts], 1))
        right = orthogonal(torch.cat([part.right for part in parts], 1))
        return piece.base + (left @ right.T).mul_(values.mean() * self.scale).to(piece.base)

    def _directions(self, piece: Piece, *, weights: Sequence[float]) -> list[Factors]:
        """The common directions, and those of each expert that has any."""
        vectors = [(expert - piece.base).double() for expert in piece.experts]
        total, specific = min(piece.base.shape), self._num_specific(piece)
        common = decompose(weighted_sum(vectors, weights), rank=total - specific)
        parts = [common]
        for vector, weight, rank in zip(vectors, weights, shared_out(specific, weights=weights), strict=True):
            if rank:
                rest = vector - common.left @ (common.left.T @ vector)
                own = decompose(rest, rank=rank)
                parts.append(Factors(own.left, own.values * weight, own.right))
        return parts

    def _num_specific(self, piece: Piece) -> int:
        total, number = min(piece.base.shape), len(piece.experts)
        specific = round((total - int(total * self.common)) / number) * number
        return specific if specific <= total else specific - number

    @classmethod
    def from_recipe(
        cls, weights: Sequence[float | None], parameters: Mapping[str, Any]
    ) -> tuple[IsoCts, tuple[float, ...]]:
        """See RecipeRule; mergekit has no such method, the parameters are the fields."""
        settings = take(parameters, known={"scale": 1.0, "common": 0.8, "averaged": None}, rule="iso_cts")
        return cls(**settings), equal_unless_given(weights, rule="iso_cts")


def shared_out(number: int, *, weights: Sequence[float]) -> list[int]:
    """The number in whole parts by weights, which are at least 0: largest remainders, the earlier first."""
    exact = [number * weight / sum(weights) for weight in weights]
    parts = [int(each + 1e-6) for each in exact]  # 1/3 of 9 is 3, however it is rounded
    by_remainder = sorted(range(len(parts)), key=lambda place: parts[place] - exact[place])
    for place in by_remainder[: number - sum(parts)]:
        parts[place] += 1
    return parts
