"""Spherical interpolation of two models (Shoemake, 1985), tensor by tensor as model mergers use it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from dfwe.errors import MergeError
from dfwe.merging.base import Piece, Rule, Traits, weighted_sum
from dfwe.merging.recipe_rule import RecipeRule, take
from dfwe.values.allowed import Share


@dataclass(frozen=True)
class Slerp(Rule, RecipeRule):
    """theta = sin((1 - t) omega) / sin(omega) theta_1 + sin(t omega) / sin(omega) theta_2, for each tensor.

    omega is the angle between the two tensors taken as vectors and t the second expert's coefficient, the first one's
    is 1 - t. Tensors that are parallel, to a cosine of `parallel`, are mixed linearly, as mergekit does. The two
    coefficients must add up to 1: of others, t is the second one's share.
    """

    parallel: Share

    @property
    def traits(self) -> Traits:
        """A vertex is an expert; the angle is that of whole tensors."""
        return Traits(vertices=True)

    def check(self, num_experts: int) -> None:
        """MergeError unless there are two experts."""
        if num_experts != 2:
            raise MergeError(f"slerp merges two models, not {num_experts}")

    def tensor(self, piece: Piece, *, coefficients: Sequence[float], found: Any) -> Float[Tensor, "*shape"]:
        """The same of one tensor."""
        self.check(len(piece.experts))
        first, second = piece.experts
        total = sum(coefficients)
        share = coefficients[1] / total if total else 0.0
        return weighted_sum((first, second), self._factors(first, second, share=share))

    def _factors(self, first: Tensor, second: Tensor, *, share: float) -> tuple[float, float]:
        norms = float(first.norm()), float(second.norm())
        if min(norms) == 0.0:
            return 1.0 - share, share
        cosine = float(first.flatten() @ second.flatten()) / (norms[0] * norms[1])
        if abs(cosine) > self.parallel:
            return 1.0 - share, share
        angle = math.acos(cosine)
        return math.sin((1.0 - share) * angle) / math.sin(angle), math.sin(share * angle) / math.sin(angle)

    @classmethod
    def merges(cls, models: Sequence[str], *, base: str | None) -> tuple[str, ...]:
        """The base model, where `t` is 0, and the other one; MergeError unless they are two."""
        if base is None:
            raise MergeError("slerp goes from `base_model` to the other model: name it")
        ends = (base, *(model for model in models if model != base))
        if len(ends) != 2:
            raise MergeError(f"slerp merges two models, not {len(ends)}")
        return ends

    @classmethod
    def from_recipe(
        cls, weights: Sequence[float | None], parameters: Mapping[str, Any]
    ) -> tuple[Slerp, tuple[float, ...]]:
        """See RecipeRule; `t` is the way from the base model to the other."""
        settings = take(parameters, known={"t": None}, rule="slerp")
        if settings["t"] is None:
            raise MergeError("slerp needs the parameter `t`, how far from the base model to the other one to go")
        return cls(parallel=0.9995), (1.0 - settings["t"], settings["t"])
