"""DARE (Yu et al., 2023, arXiv:2311.03099) before TIES: drop by chance, rescale, elect sign, disjoint merge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dfwe.merging.base import Piece
from dfwe.merging.election import Aggregate, summed
from dfwe.merging.recipe_rule import given
from dfwe.merging.sparse_rule import SparseElection
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
class DareTies(SparseElection):
    """theta = theta_0 + scale * tau; tau merges m_i (theta_i - theta_0) / density by election (see `elect`).

    m_i ~ Bernoulli(density) for each entry; density, rescale and seed are those of DareLinear. TIES' own trim is left
    out, as mergekit 0.1.5 does: the drop takes its place. The paper takes the mean of what agrees; mergekit sums
    unless `normalize` is true.
    """

    density: PositiveShare  # share of entries kept, in (0, 1]
    rescale: Rescale
    scale: float
    aggregate: Aggregate
    seed: Natural

    def check(self, num_experts: int) -> None:
        """MergeError for a density outside (0, 1], or a variant that is not known."""
        share_of_entries(self.density, rule="dare_ties")
        one_of(self.rescale, name="rescale", known=RESCALES, rule="dare_ties")
        self.check_aggregate(rule="dare_ties")

    def examine(self, piece: Piece, *, survey: Any) -> tuple[Kept, ...]:
        """Which entries of that tensor are kept."""
        probabilities = [self.density] * len(piece.experts)
        return keep_by_chance(piece, probabilities=probabilities, rescale=self.rescale, seed=self.seed)

    @classmethod
    def from_recipe(
        cls, weights: Sequence[float | None], parameters: Mapping[str, Any]
    ) -> tuple[DareTies, tuple[float, ...]]:
        """See RecipeRule; `seed` is a parameter of ours, mergekit draws other masks."""
        settings = mergekit_settings(parameters, normalize=False, rescale=True, rule="dare_ties", seed=0.0)
        aggregate, scale = summed(settings, num_experts=len(weights))
        rule = cls(settings["density"], settings["rescale"], scale, aggregate, seed=int(settings["seed"]))
        return rule, given(weights, normalise=False, rule="dare_ties")
