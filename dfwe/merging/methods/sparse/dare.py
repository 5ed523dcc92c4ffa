"""Merge by DARE (Yu et al., 2023, arXiv:2311.03099): drop entries at random, rescale the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dfwe.merging.base import RecipeFormat, TensorGroup
from dfwe.merging.methods.sparse.consensus import Aggregate, SparseElection, SparseSum
from dfwe.merging.methods.sparse.sparsify import RandomMask, Rescale, random_masks
from dfwe.values.allowed import Natural, PositiveShare

_RECIPE = RecipeFormat(normalize=False, defaults={"density": 1.0, "rescale": "norm"})


@dataclass(frozen=True)
class DareLinear(SparseSum):
    """theta = theta_0 + scale * sum_i alpha_i m_i (theta_i - theta_0) / density, m_i ~ Bernoulli(density) per entry.

    The paper's drop rate p is 1 - density; its scaling term for n experts is scale / n. `rescale: probability` divides
    by the density as the paper does, so that the expectation over seeds is task arithmetic; `norm` gives each tensor's
    task vector its L1 norm back, as mergekit 0.1.5 does with `rescale: true`; `none` as with `rescale: false`.
    The masks follow from seed, expert's position and tensor's name: other experts' order, other masks. mergekit draws
    others; `seed` is a parameter of ours in recipes.
    """

    density: PositiveShare  # share of entries kept, in (0, 1]
    rescale: Rescale
    scale: float
    seed: Natural

    recipe = _RECIPE

    def prepare_tensor(self, group: TensorGroup, *, state: Any) -> tuple[RandomMask, ...]:
        """Draw the masks of that tensor."""
        return _masks(self, group)


@dataclass(frozen=True)
class DareTies(SparseElection):
    """theta = theta_0 + scale * tau; tau merges m_i (theta_i - theta_0) / density by election (see `elect_signs`).

    m_i ~ Bernoulli(density) for each entry; density, rescale and seed are those of DareLinear. TIES' trim is left
    out, as in mergekit 0.1.5: the drop takes its place. The paper takes the mean of what agrees; mergekit sums
    unless `normalize` is true.
    """

    density: PositiveShare  # share of entries kept, in (0, 1]
    rescale: Rescale
    scale: float
    aggregate: Aggregate
    seed: Natural

    recipe = _RECIPE

    def prepare_tensor(self, group: TensorGroup, *, state: Any) -> tuple[RandomMask, ...]:
        """Draw the masks of that tensor."""
        return _masks(self, group)


def _masks(method: DareLinear | DareTies, group: TensorGroup) -> tuple[RandomMask, ...]:
    probabilities = [method.density] * len(group.experts)
    return random_masks(group, probabilities=probabilities, rescale=method.rescale, seed=method.seed)
