"""Model Breadcrumbs (Davari and Belilovsky, 2023, arXiv:2312.06795): drop the smallest entries and the outliers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dfwe.merging.band import Band, band, check_band
from dfwe.merging.base import Piece
from dfwe.merging.recipe_rule import given
from dfwe.merging.sparse_rule import SparseSum
from dfwe.merging.sparsify import mergekit_settings, task_vectors
from dfwe.values.allowed import PartialShare, PositiveShare


@dataclass(frozen=True)
class Breadcrumbs(SparseSum):
    """theta = theta_0 + scale * sum_i alpha_i m_i (theta_i - theta_0).

    m_i leaves out the `gamma` largest entries of each tensor and so many of the smallest that `density` are left; the
    paper's lower and upper thresholds are beta = 1 - density - gamma and 1 - gamma, its scaling term for n experts is
    scale / n. Numbers of entries are rounded down and ties cut as mergekit 0.1.5 does: exactly density * size are
    kept, outliers only as far as that leaves enough, none of them at a density of 1.
    """

    density: PositiveShare  # share of entries kept, in (0, 1]
    gamma: PartialShare  # share of entries dropped as outliers, in [0, 1)
    scale: float

    def check(self, num_experts: int) -> None:
        """MergeError for a density outside (0, 1], or a gamma outside [0, 1)."""
        check_band(self.density, gamma=self.gamma, rule="breadcrumbs")

    def examine(self, piece: Piece, *, survey: Any) -> tuple[Band, ...]:
        """Where each expert's task vector is cut in that tensor."""
        return tuple(band(each.abs_(), density=self.density, gamma=self.gamma) for each in task_vectors(piece))

    @classmethod
    def from_recipe(
        cls, weights: Sequence[float | None], parameters: Mapping[str, Any]
    ) -> tuple[Breadcrumbs, tuple[float, ...]]:
        """See RecipeRule."""
        settings = mergekit_settings(parameters, normalize=False, rescale=None, rule="breadcrumbs", gamma=0.01)
        rule = cls(settings["density"], settings["gamma"], scale=settings["lambda"])
        return rule, given(weights, normalise=settings["normalize"], rule="breadcrumbs")
