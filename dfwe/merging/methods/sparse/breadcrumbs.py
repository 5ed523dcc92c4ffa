"""Merge by Model Breadcrumbs (Davari and Belilovsky, 2023, arXiv:2312.06795): drop small entries and outliers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from dfwe.merging.base import RecipeFormat, TensorGroup
from dfwe.merging.methods.sparse.consensus import Aggregate, SparseElection, SparseSum
from dfwe.merging.methods.sparse.sparsify import MagnitudeThreshold, Mask, task_vectors
from dfwe.values.allowed import PartialShare, PositiveShare

_RECIPE = RecipeFormat(normalize=False, defaults={"density": 1.0, "gamma": 0.01})


@dataclass(frozen=True)
class MagnitudeBand(Mask):
    """Keep the entries of one expert's tensor between two thresholds."""

    low: MagnitudeThreshold
    high: MagnitudeThreshold | None  # None: no outliers are dropped

    def apply(self, vector: Float[Tensor, "*shape"], *, begin: int) -> Float[Tensor, "*shape"]:
        """Set the entries outside the band to 0."""
        masked = self.low.apply(vector, begin=begin)
        return masked if self.high is None else masked.mul_(self.high.is_below(vector.abs(), begin=begin))

    @classmethod
    def of(cls, sizes: Float[Tensor, "*shape"], *, density: float, gamma: float) -> MagnitudeBand:
        """Return the band of int(density * size) entries, above it int(gamma * size) or fewer outliers."""
        size = sizes.numel()
        num_kept = int(density * size)
        if num_kept == size:
            return cls(MagnitudeThreshold(0.0), None)
        num_small = max(0, size - num_kept - int(gamma * size))
        low, high = (MagnitudeThreshold.with_below(sizes, number=n) for n in (num_small, num_small + num_kept))
        return cls(low, high)


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

    recipe = _RECIPE

    def prepare_tensor(self, group: TensorGroup, *, state: Any) -> tuple[MagnitudeBand, ...]:
        """Compute each expert's band in that tensor."""
        return _bands(self, group)


@dataclass(frozen=True)
class BreadcrumbsTies(SparseElection):
    """theta = theta_0 + scale * tau; tau merges m_i (theta_i - theta_0) by election (see `elect_signs`).

    m_i, density and gamma are those of Breadcrumbs. No paper has the two together; it is mergekit 0.1.5's method, which
    sums what agrees unless `normalize` is true. The mask takes the place of TIES' trim.
    """

    density: PositiveShare  # share of entries kept, in (0, 1]
    gamma: PartialShare  # share of entries dropped as outliers, in [0, 1)
    scale: float
    aggregate: Aggregate

    recipe = _RECIPE

    def prepare_tensor(self, group: TensorGroup, *, state: Any) -> tuple[MagnitudeBand, ...]:
        """Compute each expert's band in that tensor."""
        return _bands(self, group)


def _bands(method: Breadcrumbs | BreadcrumbsTies, group: TensorGroup) -> tuple[MagnitudeBand, ...]:
    return tuple(
        MagnitudeBand.of(vector.abs_(), density=method.density, gamma=method.gamma) for vector in task_vectors(group)
    )
