"""Model Breadcrumbs (Davari and Belilovsky, 2023, arXiv:2312.06795) with TIES' sign election."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dfwe.merging.band import Band, band, check_band
from dfwe.merging.base import Piece
from dfwe.merging.election import Aggregate, summed
from dfwe.merging.recipe_rule import given
from dfwe.merging.sparse_rule import SparseElection
from dfwe.merging.sparsify import mergekit_settings, task_vectors
from dfwe.values.allowed import PartialShare, PositiveShare


@dataclass(frozen=True)
class BreadcrumbsTies(SparseElection):
    """theta = theta_0 + scale * tau; tau merges m_i (theta_i - theta_0) by election (see `elect`).

    m_i, density and gamma are those of Breadcrumbs. No paper has the two together; it is mergekit 0.1.5's rule, which
    sums what agrees unless `normalize` is true. In place of TIES' trim stands the mask.
    """

    density: PositiveShare  # share of entries kept, in (0, 1]
    gamma: PartialShare  # share of entries dropped as outliers, in [0, 1)
    scale: float
    aggregate: Aggregate

    def check(self, num_experts: int) -> None:
        """MergeError for a density outside (0, 1], a gamma outside [0, 1), another aggregate."""
        check_band(self.density, gamma=self.gamma, rule="breadcrumbs_ties")
        self.check_aggregate(rule="breadcrumbs_ties")

    def examine(self, piece: Piece, *, survey: Any) -> tuple[Band, ...]:
        """Where each expert's task vector is cut in that tensor."""
        return tuple(band(each.abs_(), density=self.density, gamma=self.gamma) for each in task_vectors(piece))

    @classmethod
    def from_recipe(
        cls, weights: Sequence[float | None], parameters: Mapping[str, Any]
    ) -> tuple[BreadcrumbsTies, tuple[float, ...]]:
        """See RecipeRule."""
        settings = mergekit_settings(parameters, normalize=False, rescale=None, rule="breadcrumbs_ties", gamma=0.01)
        aggregate, scale = summed(settings, num_experts=len(weights))
        rule = cls(settings["density"], settings["gamma"], scale, aggregate)
        return rule, given(weights, normalise=False, rule="breadcrumbs_ties")
