"""Merge sparsified task vectors: TIES, DARE, DELLA and Model Breadcrumbs."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dfwe.errors import MergeError
from dfwe.merging.base import AnyShape, MergeMethod, MethodProperties, RecipeFormat, TensorGroup, weighted_sum
from dfwe.merging.methods.ranks import nth_smallest
from dfwe.values.allowed import Natural, NonNegative, PartialShare, PositiveShare

Aggregate = Literal["linear", "mean", "sum", "max"]
Rescale = Literal["probability", "norm", "none"]
Probability = float | AnyShape


@dataclass(frozen=True, eq=False)
class Mask:
    """Keep some entries of one expert's task vector, multiplied by a factor."""

    entries: Bool[Tensor, " values"]
    factor: float | Float[Tensor, " values"] = 1.0

    def apply(self, vector: AnyShape, *, begin: int) -> AnyShape:
        """Write into the vector, which begins at that position of the whole tensor; 0 for masked entries."""
        part = slice(begin, begin + vector.numel())
        vector.mul_(self.entries[part].view(vector.shape))
        if isinstance(self.factor, float):
            return vector if self.factor == 1.0 else vector.mul_(self.factor)
        return vector.mul_(self.factor[part].view(vector.shape))


class SparseMethod(MergeMethod):
    """theta = theta_0 + scale * tau, where tau aggregates the sparse task vectors m_i (theta_i - theta_0).

    `aggregate: linear` sums alpha_i m_i (theta_i - theta_0), the others elect signs first (see `elect_signs`).
    """

    draws_masks: ClassVar[bool] = False  # at random, by the experts' places
    density: PositiveShare  # share of entries kept, in (0, 1]
    scale: float
    aggregate: Aggregate

    @property
    def properties(self) -> MethodProperties:
        """Properties: experts are recovered if nothing is dropped; sum and max weigh them with n alpha_i."""
        return MethodProperties(
            needs_parent=True,
            is_elementwise=True,
            is_linear=self.aggregate == "linear",
            is_ordered=self.draws_masks,
            recovers_experts=self.density == self.scale == 1.0 and self.aggregate in ("linear", "mean"),
            merge_time_settings=("scale",),
        )

    @abstractmethod
    def mask(self, group: TensorGroup, position: int, *, state: Any) -> Mask:
        """Return the mask that the expert at that position has for the tensor."""

    def prepare_tensor(self, group: TensorGroup, *, state: Any) -> Sequence[Mask]:
        """Return each expert's mask of that tensor."""
        return [self.mask(group, position, state=state) for position in range(len(group.experts))]

    def merge_tensor(self, group: TensorGroup, *, coefficients: Sequence[float], state: Sequence[Mask]) -> AnyShape:
        """Merge one block's sparse task vectors and add them to the parent."""
        pairs = zip(state, group.task_vectors(), strict=True)
        vectors = [mask.apply(vector, begin=group.begin) for mask, vector in pairs]
        if self.aggregate == "linear":
            return weighted_sum(vectors, [self.scale * alpha for alpha in coefficients]).add_(group.parent)
        merged = elect_signs(vectors, coefficients=coefficients, aggregate=self.aggregate)
        return merged.mul_(self.scale).add_(group.parent)


@dataclass(frozen=True)
class Ties(SparseMethod):
    """TIES (Yadav et al., 2023, arXiv:2306.01708): trim, elect signs, disjoint merge.

    All but the `density` largest entries of a task vector are set to zero. Two variants: `trim: model` ranks the
    entries of the whole vector, as the paper and FusionBench 0.2.33 do, and keeps round(density * size) of them
    (FusionBench: int(density * size) + 1) and all that are as large as the last one; `trim: tensor` ranks those of
    each tensor and keeps int(density * size) of them, at least one, as mergekit 0.1.5 does; of equal ones the last
    (mergekit: any). `aggregate` is the paper's mean, or FusionBench's sum or max. mergekit with `normalize: false`
    sums.

    Departures: the paper has no coefficients; here they weigh election and aggregate, and equal ones give the paper's.
    Where the votes add up to 0 exactly + is elected, as in mergekit; FusionBench takes the whole vector's majority.
    """

    density: PositiveShare
    scale: float  # the paper's lambda
    trim: Literal["model", "tensor"]
    aggregate: Aggregate

    recipe = RecipeFormat(normalize=True, defaults={"density": 1.0, "trim": "tensor"})

    def prepare_model(self, groups: Iterable[TensorGroup]) -> list[tuple[float, ...]] | None:
        """Compute each expert's threshold over its whole task vector; None if each tensor is trimmed by itself."""
        if self.trim == "tensor":
            return None
        return nth_smallest(
            groups,
            values=lambda group: (vector.abs_() for vector in group.task_vectors()),
            ranks=lambda size: (size - max(1, round(self.density * size)) + 1,),
        )

    def mask(self, group: TensorGroup, position: int, *, state: list[tuple[float, ...]] | None) -> Mask:
        """Mask all but the largest entries."""
        sizes = group.task_vector(position).abs_().view(-1)
        if state is not None:
            return Mask(sizes >= state[position][0])
        return Mask(~smallest(sizes, number=len(sizes) - max(1, int(self.density * len(sizes)))))


@dataclass(frozen=True)
class Breadcrumbs(SparseMethod):
    """Model Breadcrumbs (Davari and Belilovsky, 2023, arXiv:2312.06795): drop small entries and outliers.

    m_i leaves out the `gamma` largest entries of each tensor and so many of the smallest that `density` are left; the
    paper's lower and upper thresholds are beta = 1 - density - gamma and 1 - gamma, its scaling term for n experts is
    scale / n. Numbers of entries are rounded down and ties cut as mergekit 0.1.5 does: exactly density * size are
    kept, outliers only as far as that leaves enough, none of them at a density of 1.

    The paper's aggregate is linear. mergekit's `breadcrumbs_ties` elects signs, the mask in the place of TIES' trim,
    and sums what agrees unless `normalize` is true.
    """

    density: PositiveShare
    gamma: PartialShare  # share of entries dropped as outliers, in [0, 1)
    scale: float
    aggregate: Aggregate

    recipe = RecipeFormat(normalize=False, defaults={"density": 1.0, "gamma": 0.01})

    def mask(self, group: TensorGroup, position: int, *, state: Any) -> Mask:
        """Mask all but a band of sizes."""
        return Mask(self._band(group.task_vector(position).abs_().view(-1)))

    def _band(self, sizes: Float[Tensor, " values"]) -> Bool[Tensor, " values"]:
        num_kept = int(self.density * len(sizes))
        if num_kept == len(sizes):
            return torch.ones_like(sizes, dtype=torch.bool)
        num_small = max(0, len(sizes) - num_kept - int(self.gamma * len(sizes)))
        return smallest(sizes, number=num_small + num_kept) & ~smallest(sizes, number=num_small)


@dataclass(frozen=True)
class Dare(SparseMethod):
    """DARE (Yu et al., 2023, arXiv:2311.03099): drop entries at random, m_i ~ Bernoulli(density), rescale the rest.

    The paper's drop rate p is 1 - density; its scaling term for n experts is scale / n. `rescale: probability` divides
    by the density as the paper does, so that the expectation over seeds is task arithmetic; `norm` gives each tensor's
    task vector its L1 norm back, as mergekit 0.1.5 does with `rescale: true`; `none` as with `rescale: false`.
    The masks follow from seed, expert's position and tensor's name: other experts' order, other masks. mergekit draws
    others; `seed` is a parameter of ours in recipes.

    With an election TIES' trim is left out, as in mergekit 0.1.5: the drop takes its place. The paper takes the mean
    of what agrees; mergekit sums unless `normalize` is true.
    """

    draws_masks: ClassVar[bool] = True
    density: PositiveShare
    rescale: Rescale
    scale: float
    aggregate: Aggregate
    seed: Natural

    recipe = RecipeFormat(normalize=False, defaults={"density": 1.0, "rescale": "norm"})

    def mask(self, group: TensorGroup, position: int, *, state: Any) -> Mask:
        """Draw the mask."""
        return random_mask(group, position, probability=self.density, rescale=self.rescale, seed=self.seed)


@dataclass(frozen=True)
class Della(SparseMethod):
    """DELLA (Deep et al., 2024, arXiv:2406.11617): MAGPRUNE drops small entries more often than large ones.

    An entry is kept with a probability that grows linearly with the rank of its size in its row, from
    density - epsilon to density + epsilon (mergekit 0.1.5's epsilon, half of the paper's). `rescale` is as in Dare,
    by that probability; so is the seed. A density of 1 keeps everything, as in mergekit. The fusion is the paper's
    mean of what agrees (`aggregate: mean`, mergekit's default), scale its lambda. `linear` is mergekit's
    `della_linear`: Dare where epsilon is 0.

    Departure: the paper has no coefficients; here they weigh election and fusion, and equal ones give the paper's.
    """

    draws_masks: ClassVar[bool] = True
    density: PositiveShare
    epsilon: NonNegative  # how far entries' probabilities differ from the density
    rescale: Rescale
    scale: float
    aggregate: Aggregate
    seed: Natural

    @property
    def recipe(self) -> RecipeFormat:
        """Recipe: mergekit's defaults."""
        defaults = {"density": 1.0, "epsilon": 0.15, "rescale": "norm", "scale": 1.0}
        return RecipeFormat(normalize=self.aggregate != "linear", defaults=defaults)

    def check_settings(self) -> None:
        """Raise MergeError for probabilities outside (0, 1)."""
        if self.density < 1 and not 0 < self.density - self.epsilon <= self.density + self.epsilon < 1:
            raise MergeError(
                "della: density +/- epsilon must be in (0, 1), "
                f"not epsilon {self.epsilon:g} at density {self.density:g}"
            )

    def mask(self, group: TensorGroup, position: int, *, state: Any) -> Mask:
        """Draw the mask, by the entries' ranks."""
        probability: Probability = self.density
        if self.density < 1 and self.epsilon > 0:
            ranks = _ranks_in_rows(group.task_vector(position).abs_())
            probability = self.density + self.epsilon * (2.0 * ranks - 1.0)
        return random_mask(group, position, probability=probability, rescale=self.rescale, seed=self.seed)


@dataclass(frozen=True)
class SparseByModel(MergeMethod):
    """Merge as a sparse method whose settings of masks, such as the density, differ from expert to expert."""

    methods: tuple[SparseMethod, ...]  # one per expert

    @property
    def properties(self) -> MethodProperties:
        """Properties: those of any of the methods."""
        return self.methods[0].properties

    def check_settings(self) -> None:
        """Raise MergeError for a method whose settings are wrong."""
        for method in self.methods:
            method.check(len(self.methods))

    def prepare_model(self, groups: Iterable[TensorGroup]) -> list[Any]:
        """Compute each method's state."""
        return [method.prepare_model(groups) for method in self.methods]

    def prepare_tensor(self, group: TensorGroup, *, state: list[Any]) -> Sequence[Mask]:
        """Return each expert's mask of that tensor, by its own method."""
        pairs = enumerate(zip(self.methods, state, strict=True))
        return [method.mask(group, position, state=own) for position, (method, own) in pairs]

    def merge_tensor(self, group: TensorGroup, *, coefficients: Sequence[float], state: Sequence[Mask]) -> AnyShape:
        """Merge one block's sparse task vectors."""
        return self.methods[0].merge_tensor(group, coefficients=coefficients, state=state)


def elect_signs(vectors: Sequence[AnyShape], *, coefficients: Sequence[float], aggregate: Aggregate) -> AnyShape:
    """Merge the vectors, entry by entry, from those experts that agree with the elected sign, as TIES does.

    The sign of sum_i alpha_i t_i is elected, + where that is 0; A are the experts whose alpha_i t_i has it.
    mean: sum_A alpha_i t_i / sum_A alpha_i. sum: sum_A n alpha_i t_i. max: n alpha_i t_i of the largest size in A.
    """
    weights = torch.tensor(coefficients, dtype=vectors[0].dtype, device=vectors[0].device)
    weights = weights.view(-1, *[1] * vectors[0].dim())
    weighted = torch.stack(list(vectors)).mul_(weights)
    sign = torch.where(weighted.sum(0) < 0, -1.0, 1.0)
    sizes = weighted.mul_(sign).clamp_(min=0)  # of what agrees
    if aggregate == "max":
        return sizes.amax(0).mul_(len(vectors)).mul_(sign)
    total = sizes.sum(0)
    if aggregate == "sum":
        return total.mul_(len(vectors)).mul_(sign)
    share = torch.tensordot(weights.view(-1), sizes.sign_(), dims=1)
    return total.div_(share.masked_fill_(share == 0, 1.0)).mul_(sign)


def smallest(sizes: Float[Tensor, " values"], *, number: int) -> Bool[Tensor, " values"]:
    """Mark exactly that number of the smallest sizes; of equal ones the first."""
    if number <= 0:
        return torch.zeros_like(sizes, dtype=torch.bool)
    largest = sizes.kthvalue(number).values
    marked = sizes < largest
    ties = (sizes == largest).nonzero().view(-1)
    marked[ties[: number - int(marked.sum())]] = True
    return marked


def random_mask(group: TensorGroup, position: int, *, probability: Probability, rescale: Rescale, seed: int) -> Mask:
    """Draw a mask for that expert's task vector, a whole tensor, from each entry's probability of being kept.

    The draws depend only on the seed, the expert's position and the tensor's name, and an entry that is kept with a
    probability is kept with every larger one. `rescale` divides by the probability, or restores the L1 norm
    ("norm", as mergekit), or does nothing.
    """
    flat = probability.reshape(-1) if isinstance(probability, Tensor) else probability
    digest = hashlib.sha256(f"{seed}:{position}:{group.info.name}".encode()).digest()
    draws = np.random.default_rng(int.from_bytes(digest[:16], "big")).random(group.parent.numel(), dtype=np.float32)
    entries = torch.from_numpy(draws).to(group.parent.device) < flat
    factor = 1.0 / flat if rescale == "probability" else 1.0
    if rescale == "norm":
        factor = _norm_ratio(group.task_vector(position).view(-1), entries=entries)
    return Mask(entries, factor)


def _norm_ratio(vector: Float[Tensor, " values"], *, entries: Bool[Tensor, " values"]) -> float:
    before, after = float(vector.abs().sum()), float((vector * entries).abs().sum())
    return before / after if min(before, after) >= 1e-7 else 1.0  # mergekit's bound


def _ranks_in_rows(sizes: AnyShape) -> AnyShape:
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
