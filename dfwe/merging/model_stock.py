"""Model Stock (Jang et al., 2024, arXiv:2403.19522): from the parent to the experts' mean, as far as they agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dfwe.errors import MergeError
from dfwe.merging.base import Factors, Mixing, Piece, Rule, Traits
from dfwe.merging.inner_products import cosines, inner_products
from dfwe.merging.place import Place
from dfwe.merging.recipe_rule import TaskVectorRule, equal_unless_given, take
from dfwe.values.allowed import NonNegative

_SINGULAR = 1e-6


@dataclass(frozen=True)
class ModelStock(Mixing, TaskVectorRule):
    """theta = theta_0 + t sum_i alpha_i (theta_i - theta_0), t = n c / (1 + (n - 1) c), for each tensor.

    c is the mean cosine of the angles between two of the n experts' task vectors (equation 4 of the paper, for more
    than two experts). Where 1 + (n - 1) c is 0 the tensor stays the parent's.

    Departures: alpha_i weigh the mean (t does not depend on them; equal ones give the paper's). `floor` bounds the
    product of two lengths in a cosine: 0 is the paper's, mergekit 0.1.5 has 1e-6, which makes t smaller where experts
    hardly moved. mergekit's `filter_wise` is ModelStockByFilter.
    """

    floor: NonNegative

    @property
    def traits(self) -> Traits:
        """A vertex lies between the parent and its expert."""
        return Traits(parent=True, elementwise=True, linear=True)

    def check(self, num_experts: int) -> None:
        """MergeError for less than two experts, or a negative floor."""
        _check(num_experts, floor=self.floor)

    def survey(self, pieces: Iterable[Piece]) -> dict[str, float]:
        """How far each tensor goes, t."""
        return {piece.place.tensor: self._way(piece) for piece in pieces}

    def factors(self, coefficients: Sequence[float], *, place: Place, survey: Any) -> Factors:
        """t of each coefficient, and what is left of the parent."""
        scaled = tuple(survey[place.tensor] * coefficient for coefficient in coefficients)
        return Factors(scaled, parent=1.0 - sum(scaled))

    def _way(self, piece: Piece) -> float:
        cosine = cosines(inner_products(piece, about_parent=True), floor=self.floor)
        pairs = [torch.tensor(cosine[pair]) for pair in combinations(range(len(cosine)), 2)]
        return float(_way(pairs, num_experts=len(cosine)))

    @classmethod
    def from_recipe(
        cls, weights: Sequence[float | None], parameters: Mapping[str, Any]
    ) -> tuple[ModelStock | ModelStockByFilter, tuple[float, ...]]:
        """See RecipeRule; mergekit's has no weights, here they are taken where a recipe gives them."""
        settings = take(parameters, known={"filter_wise": False}, rule="model_stock")
        kind = ModelStockByFilter if settings["filter_wise"] else cls
        return kind(floor=1e-6), equal_unless_given(weights, rule="model_stock")


@dataclass(frozen=True)
class ModelStockByFilter(Rule):
    """Model Stock with a t of its own for each row (the last axis) of a tensor: mergekit's `filter_wise`."""

    floor: NonNegative  # as ModelStock's

    @property
    def traits(self) -> Traits:
        """As ModelStock's, but rows must stay whole."""
        return Traits(parent=True, linear=True)

    def check(self, num_experts: int) -> None:
        """MergeError for less than two experts, or a negative floor."""
        _check(num_experts, floor=self.floor)

    def examine(self, piece: Piece, *, survey: Any) -> Float[Tensor, "*rows one"]:
        """How far each row goes, t."""
        pairs = [self._cosine(piece, pair) for pair in combinations(range(len(piece.experts)), 2)]
        return _way(pairs, num_experts=len(piece.experts)).float()

    def tensor(self, piece: Piece, *, coefficients: Sequence[float], found: Tensor) -> Float[Tensor, "*shape"]:
        """Each row t of the way to the weighted mean."""
        moved = torch.zeros_like(piece.base)
        for expert, coefficient in zip(piece.experts, coefficients, strict=True):
            moved.add_(expert - piece.base, alpha=coefficient)
        return moved.mul_(found).add_(piece.base)

    def _cosine(self, piece: Piece, pair: tuple[int, int]) -> Tensor:
        first, second = (piece.experts[place].double() - piece.base.double() for place in pair)
        lengths = (first.norm(dim=-1, keepdim=True) * second.norm(dim=-1, keepdim=True)).clamp(min=self.floor)
        products = (first * second).sum(-1, keepdim=True)
        return torch.where(lengths > 0, products / lengths.clamp(min=1e-300), 0.0).clamp(-1.0, 1.0)


def _way(cosines_of_pairs: list[Tensor], *, num_experts: int) -> Tensor:
    cosine = torch.stack(cosines_of_pairs).mean(0)
    divisor = 1.0 + (num_experts - 1) * cosine
    singular = divisor.abs() < _SINGULAR
    return torch.where(singular, 0.0, num_experts * cosine / torch.where(singular, 1.0, divisor))


def _check(num_experts: int, *, floor: float) -> None:
    if num_experts < 2:
        raise MergeError(f"model_stock compares experts: it needs at least two, not {num_experts}")
    if not floor >= 0:
        raise MergeError(f"model_stock: floor must be at least 0, not {floor}")
