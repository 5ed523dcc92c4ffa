"""The entries of a task vector that are neither too small nor outliers: the mask of Model Breadcrumbs."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from dfwe.errors import MergeError
from dfwe.merging.sparsify import Cut, Selection, cut, share_of_entries


@dataclass(frozen=True)
class Band(Selection):
    """What lies between two cuts of one expert's tensor."""

    least: Cut
    most: Cut | None  # None: no outliers are dropped

    def of(self, vector: Float[Tensor, "*shape"], *, begin: int) -> Float[Tensor, "*shape"]:
        """The vector's entries in the band."""
        kept = self.least.of(vector, begin=begin)
        return kept if self.most is None else kept.mul_(self.most.below(vector.abs(), begin=begin))


def band(sizes: Float[Tensor, "*shape"], *, density: float, gamma: float) -> Band:
    """The band of a whole tensor with int(density * size) entries, above it int(gamma * size) or fewer outliers."""
    size = sizes.numel()
    kept = int(density * size)
    if kept == size:
        return Band(Cut(0.0), None)
    num_small = max(0, size - kept - int(gamma * size))
    return Band(cut(sizes, num_below=num_small), cut(sizes, num_below=num_small + kept))


def check_band(density: float, *, gamma: float, rule: str) -> None:
    """Raises MergeError unless density lies in (0, 1] and gamma in [0, 1)."""
    share_of_entries(density, rule=rule)
    if not 0 <= gamma < 1:
        raise MergeError(f"{rule}: gamma must be in [0, 1), not {gamma:g}")
