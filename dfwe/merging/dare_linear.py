"""DARE (Yu et al., 2023, arXiv:2311.03099) before task arithmetic: drop entries by chance and rescale the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dfwe.merging.base import Piece
from dfwe.merging.recipe_rule import given
from dfwe.merging.sparse_rule import SparseSum
from dfwe.merging.sparsify import (
    RESCALES,
    Kept,
    Rescale,
    keep_by_chance,
    mergekit_settings,
    one_of,
    share_of_entries,
)
from dfwe.values.allowed import Natural, PositiveShare


@dataclass(frozen=True)
class DareLinear(SparseSum):
    """theta = theta_0 + scale * sum_i alpha_i m_i (theta_i - theta_0) / density, m_i ~ Bernoulli(density) per entry.

    The paper's drop rate p is 1 - density; its scaling term for n experts is scale / n. `rescale: probability` divides
    by the density as the paper does, so that the expectation over seeds is task arithmetic; `norm` gives each tensor's
    task vector its L1 norm back, as mergekit 0.1.5 does with `rescale: true`; `none` as with `rescale: false`.
    The masks follow from seed, expert's place and tensor's name: other experts' order, other masks.
    """

    density: PositiveShare  # share of entries kept, in (0, 1]
    rescale: Rescale
    scale: float
    seed: Natural

    def check(self, num_experts: int) -> None:
        """MergeError for a density outside (0, 1], or a way to rescale that is not known."""
        share_of_entries(self.density, rule="dare_linear")
        one_of(self.rescale, name="rescale", known=RESCALES, rule="dare_linear")

    def examine(self, piece: Piece, *, survey: Any) -> tuple[Kept, ...]:
        """Which entries of that tensor are kept."""
        probabilities = [self.density] * len(piece.experts)
        return keep_by_chance(piece, probabilities=probabilities, rescale=self.rescale, seed=self.seed)

    @classmethod
    def from_recipe(
        cls, weights: Sequence[float | None], parameters: Mapping[str, Any]
    ) -> tuple[DareLinear, tuple[float, ...]]:
        """See RecipeRule; `seed` is a parameter of ours, mergekit draws other masks."""
        settings = mergekit_settings(parameters, normalize=False, rescale=True, rule="dare_linear", seed=0.0)
        rule = cls(settings["density"], settings["rescale"], scale=settings["lambda"], seed=int(settings["seed"]))
        return rule, given(weights, normalise=settings["normalize"], rule="dare_linear")
