"""The Karcher mean on the sphere (Karcher, 1977; for merging language models arXiv:2603.04972)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from dfwe.errors import MergeError
from dfwe.merging.base import Factors, Mixing, Piece, Traits, on_simplex
from dfwe.merging.inner_products import cosines, inner_products
from dfwe.merging.place import Place
from dfwe.merging.recipe_rule import RecipeRule, equal_unless_given, take, with_base
from dfwe.values.allowed import Natural, Positive


@dataclass(frozen=True)
class Karcher(Mixing, RecipeRule):
    """theta = r m; m = argmin over |m| = 1 of sum_i alpha_i angle(m, u_i)^2, u_i = theta_i / |theta_i|, each tensor.

    r = sum_i alpha_i |theta_i|. Found by steps along the sphere, from the normalised mean of the u_i:
    v = sum_i alpha_i angle(m, u_i) / sin(angle) (u_i - cos(angle) m); m <- cos|v| m + sin|v| v / |v|.

    m stays in the span of the experts, so that the steps need no more than their inner products, and the merge is a
    weighted sum. Variant: mergekit 0.1.5's, as to the lengths, start and stop; there the experts count alike, here
    they have weights. Angles are taken in double precision (there: single, too coarse for experts that are nearly
    parallel). Where no expert that counts is longer than `tol`, the tensor is mixed linearly (there: 0).
    """

    max_iter: Natural  # steps at most
    tol: Positive  # lengths and angles (radians) below it count as 0

    @property
    def traits(self) -> Traits:
        """A vertex is an expert; the angles are those of whole tensors, found before."""
        return Traits(elementwise=True, vertices=True, late=("max_iter", "tol"))

    def check(self, num_experts: int) -> None:
        """MergeError for a negative number of steps or a tolerance that is not positive."""
        if not self.max_iter >= 0:
            raise MergeError(f"karcher: max_iter must be at least 0, not {self.max_iter}")
        if not self.tol > 0:
            raise MergeError(f"karcher: tol must be greater than 0, not {self.tol}")

    def survey(self, pieces: Iterable[Piece]) -> dict[str, Float[np.ndarray, "experts experts"]]:
        """The experts' inner products in each tensor."""
        return {piece.place.tensor: inner_products(piece, about_parent=False) for piece in pieces}

    def factors(self, coefficients: Sequence[float], *, place: Place, survey: Any) -> Factors:
        """The mean's factors in that tensor; MergeError beside the simplex."""
        on_simplex(coefficients, rule="karcher")
        weights, products = np.array(coefficients), survey[place.tensor]
        lengths = np.sqrt(np.diag(products))
        counts = (lengths > self.tol) & (weights > 0)
        if not counts.any():
            return Factors(tuple(coefficients))
        mean = self._mean(weights[counts] / weights[counts].sum(), cosines(products)[np.ix_(counts, counts)])
        factors = np.zeros_like(weights)
        factors[counts] = float(weights @ lengths) * mean / lengths[counts]
        return Factors(tuple(map(float, factors)))

    def _mean(self, weights: np.ndarray, cosine: np.ndarray) -> np.ndarray:
        """The mean of unit vectors with these cosines, as factors of theirs."""
        length = _length(weights, cosine)
        mean = weights / length if length >= self.tol else np.eye(len(weights))[0]  # all cancel: start at the first
        for _ in range(int(self.max_iter)):
            along = np.clip(cosine @ mean, -1.0, 1.0)
            angles = np.arccos(along)
            # one that is opposite to the mean pulls in no direction
            pulls = np.where(np.minimum(angles, np.pi - angles) < self.tol, 0.0, weights * angles)
            pulls = pulls / np.where(pulls == 0.0, 1.0, np.sin(angles))
            step = pulls - float(pulls @ along) * mean
            length = _length(step, cosine)
            if length < self.tol:
                break
            mean = np.cos(length) * mean + np.sin(length) * step / length
            mean = mean / _length(mean, cosine)
        return mean

    @classmethod
    def merges(cls, models: Sequence[str], *, base: str | None) -> tuple[str, ...]:
        """All of them; a base model is one of them."""
        return with_base(models, base=base)

    @classmethod
    def from_recipe(
        cls, weights: Sequence[float | None], parameters: Mapping[str, Any]
    ) -> tuple[Karcher, tuple[float, ...]]:
        """See RecipeRule; mergekit's has no weights, here they are taken where a recipe gives them."""
        settings = take(parameters, known={"max_iter": 10, "tol": 1e-5}, rule="karcher")
        return cls(**settings), equal_unless_given(weights, rule="karcher")


def _length(factors: np.ndarray, cosine: np.ndarray) -> float:
    return float(np.sqrt(max(0.0, float(factors @ cosine @ factors))))
