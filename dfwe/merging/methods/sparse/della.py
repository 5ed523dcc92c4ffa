"""Merge by DELLA (Deep et al., 2024, arXiv:2406.11617): drop small entries more often (MAGPRUNE)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from dfwe.errors import MergeError
from dfwe.merging.base import RecipeFormat, TensorGroup, method_name
from dfwe.merging.methods.sparse.consensus import Aggregate, SparseElection, SparseSum
from dfwe.merging.methods.sparse.sparsify import RandomMask, Rescale, random_masks, task_vectors
from dfwe.values.allowed import Natural, NonNegative, PositiveShare

_DEFAULTS = {"density": 1.0, "epsilon": 0.15, "rescale": "norm", "scale": 1.0}  # mergekit's


@dataclass(frozen=True)
class Della(SparseElection):
    """theta = theta_0 + scale * tau; tau merges the sparse task vectors by election (see `elect_signs`).

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

    recipe = RecipeFormat(normalize=True, defaults=_DEFAULTS)

    def check_experts(self, num_experts: int) -> None:
        """Raise MergeError for probabilities outside (0, 1)."""
        _check_probabilities(self)

    def prepare_tensor(self, group: TensorGroup, *, state: Any) -> tuple[RandomMask, ...]:
        """Draw the masks of that tensor."""
        return _magprune(self, group)


@dataclass(frozen=True)
class DellaLinear(SparseSum):
    """theta = theta_0 + scale * sum_i alpha_i t_i; t_i are the task vectors sparsified by MAGPRUNE, as in Della.

    The paper elects signs before it sums; this is mergekit 0.1.5's `della_linear`. The paper's scaling term for n
    experts is scale / n. With an epsilon of 0 it is DareLinear.
    """

    density: PositiveShare  # share of entries kept, in (0, 1]
    epsilon: NonNegative
    rescale: Rescale
    scale: float
    seed: Natural

    recipe = RecipeFormat(normalize=False, defaults=_DEFAULTS)

    def check_experts(self, num_experts: int) -> None:
        """Raise MergeError for probabilities outside (0, 1)."""
        _check_probabilities(self)

    def prepare_tensor(self, group: TensorGroup, *, state: Any) -> tuple[RandomMask, ...]:
        """Draw the masks of that tensor."""
        return _magprune(self, group)


def _magprune(method: Della | DellaLinear, group: TensorGroup) -> tuple[RandomMask, ...]:
    density, epsilon = method.density, method.epsilon
    probabilities: list[float | Float[Tensor, "*shape"]] = [density] * len(group.experts)
    if density < 1 and epsilon > 0:
        probabilities = [density + epsilon * (2.0 * _ranks(vector.abs_()) - 1.0) for vector in task_vectors(group)]
    return random_masks(group, probabilities=probabilities, rescale=method.rescale, seed=method.seed)


def _check_probabilities(method: Della | DellaLinear) -> None:
    density, epsilon = method.density, method.epsilon
    if density < 1 and not 0 < density - epsilon <= density + epsilon < 1:
        raise MergeError(
            f"{method_name(method)}: density +/- epsilon must be in (0, 1), "
            f"not epsilon {epsilon:g} at density {density:g}"
        )


def _ranks(sizes: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Rank entries in their row, from 0 for the smallest to 1 for the largest.

    A vector is one row; of a tensor with more dimensions the second is ranked, as in mergekit. A row of one entry has
    the middle rank (mergekit fails there).
    """
    rows = sizes if sizes.dim() > 1 else sizes.reshape(1, -1)
    if rows.shape[1] < 2:
        return sizes.new_full(sizes.shape, 0.5)
    order = rows.argsort(dim=1, stable=True)
    ranks = order.argsort(dim=1).to(sizes.dtype) / (rows.shape[1] - 1)
    return ranks.reshape(sizes.shape)
