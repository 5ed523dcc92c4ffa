"""DELLA (Deep et al., 2024, arXiv:2406.11617) without its election: drop small entries more often, add the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dfwe.merging.base import Piece
from dfwe.merging.magprune import check_probabilities, magprune
from dfwe.merging.recipe_rule import given
from dfwe.merging.sparse_rule import SparseSum
from dfwe.merging.sparsify import RESCALES, Kept, Rescale, mergekit_settings, one_of
from dfwe.values.allowed import Natural, NonNegative, PositiveShare


@dataclass(frozen=True)
class DellaLinear(SparseSum):
    """theta = theta_0 + scale * sum_i alpha_i t_i; t_i are the task vectors thinned by MAGPRUNE, as in Della.

    The paper elects signs before it sums; this is mergekit 0.1.5's `della_linear`. The paper's scaling term for n
    experts is scale / n. With an epsilon of 0 it is DareLinear.
    """

    density: PositiveShare  # share of entries kept, in (0, 1]
    epsilon: NonNegative
    rescale: Rescale
    scale: float
    seed: Natural

    def check(self, num_experts: int) -> None:
        """MergeError for probabilities outside (0, 1), or a way to rescale that is not known."""
        check_probabilities(self.density, epsilon=self.epsilon, rule="della_linear")
        one_of(self.rescale, name="rescale", known=RESCALES, rule="della_linear")

    def examine(self, piece: Piece, *, survey: Any) -> tuple[Kept, ...]:
        """Which entries of that tensor are kept."""
        return magprune(piece, density=self.density, epsilon=self.epsilon, rescale=self.rescale, seed=self.seed)

    @classmethod
    def from_recipe(
        cls, weights: Sequence[float | None], parameters: Mapping[str, Any]
    ) -> tuple[DellaLinear, tuple[float, ...]]:
        """See RecipeRule; `seed` is a parameter of ours, mergekit draws other masks."""
        settings = mergekit_settings(
            parameters, normalize=False, rescale=True, rule="della_linear", epsilon=0.15, seed=0.0
        )
        rule = cls(
            settings["density"],
            settings["epsilon"],
            settings["rescale"],
            scale=settings["lambda"],
            seed=int(settings["seed"]),
        )
        return rule, given(weights, normalise=settings["normalize"], rule="della_linear")
