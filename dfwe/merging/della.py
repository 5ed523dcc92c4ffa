"""DELLA (Deep et al., 2024, arXiv:2406.11617): drop small entries more often (MAGPRUNE), elect, fuse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dfwe.merging.base import Piece
from dfwe.merging.election import Aggregate, summed
from dfwe.merging.magprune import check_probabilities, magprune
from dfwe.merging.recipe_rule import given
from dfwe.merging.sparse_rule import SparseElection
from dfwe.merging.sparsify import RESCALES, Kept, Rescale, mergekit_settings, one_of
from dfwe.values.allowed import Natural, NonNegative, PositiveShare


@dataclass(frozen=True)
class Della(SparseElection):
    """theta = theta_0 + scale * tau; tau merges the thinned task vectors by election (see `elect`).

    MAGPRUNE: an entry is kept with a probability that grows linearly with the rank of its size in its row, from
    density - epsilon to density + epsilon (mergekit 0.1.5's epsilon, half of the paper's), and what is kept is divided
    by that probability (`rescale: probability`, the paper), or gives each tensor its L1 norm back (`norm`, mergekit
    with `rescale: true`), or stays (`none`). A density of 1 keeps everything, as in mergekit. The fusion is the paper's
    mean of what agrees (`aggregate: mean`, mergekit's default), scale its lambda. Seed as in DareLinear.

    Departure: the paper has no coefficients; here they weigh election and fusion, and equal ones give the paper's.
    """

    density: PositiveShare  # share of entries kept, in (0, 1]
    epsilon: NonNegative  # how far their probabilities differ from it
    rescale: Rescale
    scale: float
    aggregate: Aggregate
    seed: Natural

    def check(self, num_experts: int) -> None:
        """MergeError for probabilities outside (0, 1), or a variant that is not known."""
        check_probabilities(self.density, epsilon=self.epsilon, rule="della")
        one_of(self.rescale, name="rescale", known=RESCALES, rule="della")
        self.check_aggregate(rule="della")

    def examine(self, piece: Piece, *, survey: Any) -> tuple[Kept, ...]:
        """Which entries of that tensor are kept."""
        return magprune(piece, density=self.density, epsilon=self.epsilon, rescale=self.rescale, seed=self.seed)

    @classmethod
    def from_recipe(
        cls, weights: Sequence[float | None], parameters: Mapping[str, Any]
    ) -> tuple[Della, tuple[float, ...]]:
        """See RecipeRule; `seed` is a parameter of ours, mergekit draws other masks."""
        settings = mergekit_settings(parameters, normalize=True, rescale=True, rule="della", epsilon=0.15, seed=0.0)
        aggregate, scale = summed(settings, num_experts=len(weights))
        rule = cls(
            settings["density"], settings["epsilon"], settings["rescale"], scale, aggregate, seed=int(settings["seed"])
        )
        return rule, given(weights, normalise=False, rule="della")
