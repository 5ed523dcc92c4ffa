"""Merge by the experts' angles: Model Stock, slerp, nuslerp, multislerp and the Karcher mean."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from dfwe.errors import MergeError
from dfwe.merging.base import (
    AnyShape,
    LinearMethod,
    MergeMethod,
    MethodProperties,
    RecipeFormat,
    TensorGroup,
    TensorInfo,
    TensorWeights,
    around_parent,
    check_simplex,
    weighted_sum,
)
from dfwe.values.allowed import Natural, NonNegative, Positive, Share

BLOCK = 2**17  # values of an expert at a time: their copies in double precision stay in the cache
_SINGULAR = 1e-6
_PARALLEL = 1e-12  # of a cosine in double precision: nearer to 1 its sine is rounding


@dataclass(frozen=True)
class ModelStockByFilter(MergeMethod):
    """Merge like ModelStock, with a separate t for each row (the last axis) of a tensor: mergekit's `filter_wise`."""

    floor: NonNegative  # as ModelStock's

    properties = MethodProperties(needs_parent=True, is_linear=True, min_experts=2)

    def prepare_tensor(self, group: TensorGroup, *, state: Any) -> Float[Tensor, "*rows one"]:
        """Compute t of each row."""
        pairs = [self._cosine(group, pair) for pair in combinations(range(len(group.experts)), 2)]
        return _ratio(pairs, num_experts=len(group.experts)).float()

    def merge_tensor(self, group: TensorGroup, *, coefficients: Sequence[float], state: Tensor) -> AnyShape:
        """Move each row from the parent to the weighted mean, by t."""
        return weighted_sum(group.task_vectors(), coefficients).mul_(state).add_(group.parent)

    def _cosine(self, group: TensorGroup, pair: tuple[int, int]) -> Tensor:
        first, second = (group.experts[expert].double() - group.parent.double() for expert in pair)
        lengths = (first.norm(dim=-1, keepdim=True) * second.norm(dim=-1, keepdim=True)).clamp(min=self.floor)
        products = (first * second).sum(-1, keepdim=True)
        return torch.where(lengths > 0, products / lengths.clamp(min=1e-300), 0.0).clamp(-1.0, 1.0)


@dataclass(frozen=True)
class ModelStock(LinearMethod):
    """theta = theta_0 + t sum_i alpha_i (theta_i - theta_0), t = n c / (1 + (n - 1) c), for each tensor.

    Model Stock (Jang et al., 2024, arXiv:2403.19522): move towards the mean as far as experts agree. c is the mean
    cosine of the angles between two of the n experts' task vectors (equation 4 of the paper, for more
    than two experts). Where 1 + (n - 1) c is 0 the tensor stays the parent's.

    Departures: alpha_i weigh the mean (t does not depend on them; equal ones give the paper's). `floor` bounds the
    product of two lengths in a cosine: 0 is the paper's, mergekit 0.1.5 has 1e-6, which makes t smaller where experts
    hardly moved. mergekit's `filter_wise` is ModelStockByFilter.
    """

    floor: NonNegative

    recipe = RecipeFormat(defaults={"floor": 1e-6}, switches={"filter_wise": ModelStockByFilter})
    properties = MethodProperties(needs_parent=True, is_elementwise=True, is_linear=True, min_experts=2)

    def prepare_model(self, groups: Iterable[TensorGroup]) -> dict[str, float]:
        """Compute t of each tensor."""
        return {group.info.name: self._tensor_ratio(group) for group in groups}

    def tensor_weights(
        self, coefficients: Sequence[float], *, tensor: TensorInfo, state: dict[str, float]
    ) -> TensorWeights:
        """Return t times each coefficient, and what is left of the parent."""
        return around_parent(state[tensor.name] * coefficient for coefficient in coefficients)

    def _tensor_ratio(self, group: TensorGroup) -> float:
        cosine = cosines(inner_products(group, from_parent=True), floor=self.floor)
        pairs = [torch.tensor(cosine[pair]) for pair in combinations(range(len(cosine)), 2)]
        return float(_ratio(pairs, num_experts=len(cosine)))


@dataclass(frozen=True)
class Slerp(MergeMethod):
    """theta = sin((1 - t) omega) / sin(omega) theta_1 + sin(t omega) / sin(omega) theta_2, for each tensor.

    Spherical interpolation of two models (Shoemake, 1985). omega is the angle between the two tensors taken as vectors
    and t the second expert's coefficient, the first one's is 1 - t. Tensors that are parallel, to a cosine of
    `parallel`, are mixed linearly, as mergekit does. The two coefficients must add up to 1: of others, t is the second
    one's share.
    """

    parallel: Share

    recipe = RecipeFormat(base_model="start")
    properties = MethodProperties(recovers_experts=True, min_experts=2, max_experts=2)

    def merge_tensor(self, group: TensorGroup, *, coefficients: Sequence[float], state: Any) -> AnyShape:
        """Interpolate one tensor."""
        first, second = group.experts
        total = sum(coefficients)
        share = coefficients[1] / total if total else 0.0
        return weighted_sum((first, second), self._weights(first, second, share=share))

    def _weights(self, first: Tensor, second: Tensor, *, share: float) -> tuple[float, float]:
        norms = float(first.norm()), float(second.norm())
        if min(norms) == 0.0:
            return 1.0 - share, share
        cosine = float(first.flatten() @ second.flatten()) / (norms[0] * norms[1])
        if abs(cosine) > self.parallel or abs(cosine) >= 1.0:  # rounding takes a cosine beyond 1
            return 1.0 - share, share
        angle = math.acos(cosine)
        return math.sin((1.0 - share) * angle) / math.sin(angle), math.sin(share * angle) / math.sin(angle)


@dataclass(frozen=True)
class Nuslerp(MergeMethod):
    """theta = o + sin((1 - t) omega) / sin(omega) x_1 + sin(t omega) / sin(omega) x_2, x_i = theta_i - o.

    mergekit's NuSLERP: slerp of two models whose t is the second one's share of the coefficients, from the origin o,
    the parent or 0. omega is the angle between the tensors taken as vectors, or without `nuslerp_flatten` between their
    vectors along the last axis (with `nuslerp_row_wise` along the first). Parallel vectors are mixed linearly; zeros
    count as at a right angle to the other.
    """

    nuslerp_flatten: bool
    nuslerp_row_wise: bool
    about_parent: bool | None  # true: the origin is the parent; null: if there is one, as in recipes

    recipe = RecipeFormat(base_model="origin", defaults={"about_parent": None})

    @property
    def properties(self) -> MethodProperties:
        """Properties: slerp's."""
        needs_parent = self.about_parent is True
        return MethodProperties(needs_parent=needs_parent, recovers_experts=True, min_experts=2, max_experts=2)

    def merge_tensor(self, group: TensorGroup, *, coefficients: Sequence[float], state: Any) -> AnyShape:
        """Interpolate one tensor."""
        from_parent = group.parent_tensor is not None if self.about_parent is None else self.about_parent
        first, second = group.task_vectors() if from_parent else group.experts
        total = sum(coefficients)
        merged = self._interpolate(first, second, share=coefficients[1] / total if total else 0.5)
        return merged.add_(group.parent) if from_parent else merged

    def _interpolate(self, first: AnyShape, second: AnyShape, *, share: float) -> AnyShape:
        """Interpolate the vectors that the settings name, all angles at once."""
        ends = [self._as_vectors(tensor) for tensor in (first, second)]
        cosine = functional.cosine_similarity(ends[0].double(), ends[1].double(), dim=-1).clamp(-1.0, 1.0)[..., None]
        is_parallel, angle = cosine.abs() > 1.0 - _PARALLEL, cosine.acos()
        parts = (1.0 - share, share)
        weights = [torch.where(is_parallel, part, torch.sin(part * angle) / torch.sin(angle)) for part in parts]
        merged = ends[0] * weights[0].to(first) + ends[1] * weights[1].to(first)
        is_turned = self.nuslerp_row_wise and not self.nuslerp_flatten and first.dim() > 0
        return merged.movedim(-1, 0) if is_turned else merged.view(first.shape)

    def _as_vectors(self, tensor: AnyShape) -> Tensor:
        """Return a view of the tensor whose last axis holds the vectors."""
        if self.nuslerp_flatten or not tensor.dim():
            return tensor.reshape(1, -1)
        return tensor.movedim(0, -1) if self.nuslerp_row_wise else tensor


@dataclass(frozen=True)
class Multislerp(MergeMethod):
    """theta = o + r m / |m|, m = sum_i alpha_i x_i / (|x_i| + eps), r = sum_i alpha_i |x_i|, for each tensor.

    mergekit's multislerp (Goddard, 2025), for any number of models. x_i = theta_i - o; the origin o is 0 or the parent.
    Directions and lengths are averaged apart, so that, unlike in a linear mixture, nothing is lost where experts point
    away from each other. Directions that cancel (|m| < eps) are an error, but two experts are then mixed linearly.

    Variant: mergekit 0.1.5's. It goes on to average the experts in the tangent space at m / |m|, which adds nothing:
    the tangent vectors x_i / |x_i| - <x_i / |x_i|, m> m / |m|^2 with these weights add up to 0.
    """

    eps: Positive
    about_parent: bool | None  # true: the origin is the parent; null: if there is one, as in recipes

    recipe = RecipeFormat(
        base_model="origin", normalize=True, normalize_name="normalize_weights", defaults={"about_parent": None}
    )

    @property
    def properties(self) -> MethodProperties:
        """Properties: with the prepared inner products, every value is a weighted sum."""
        return MethodProperties(needs_parent=self.about_parent is True, is_elementwise=True, recovers_experts=True)

    def prepare_tensor(self, group: TensorGroup, *, state: Any) -> Float[np.ndarray, "experts experts"]:
        """Compute the experts' inner products, seen from the origin."""
        return inner_products(group, from_parent=self._is_about_parent(group))

    def merge_tensor(
        self, group: TensorGroup, *, coefficients: Sequence[float], state: Float[np.ndarray, "experts experts"]
    ) -> AnyShape:
        """Return the weighted sum that it comes to; MergeError if the directions cancel."""
        weights = self._weights(np.array(coefficients), products=state, tensor=group.info.name)
        if not self._is_about_parent(group):
            return weighted_sum(group.experts, weights)
        return weighted_sum([group.parent, *group.experts], [1.0 - sum(weights), *weights])

    def _is_about_parent(self, group: TensorGroup) -> bool:
        return group.parent_tensor is not None if self.about_parent is None else self.about_parent

    def _weights(self, alphas: np.ndarray, *, products: np.ndarray, tensor: str) -> list[float]:
        lengths = np.sqrt(np.diag(products))
        if len(alphas) == 1 or float(lengths.max()) == 0.0:
            return [float(alpha) for alpha in alphas]
        directions = alphas / (lengths + self.eps)
        norm = math.sqrt(max(0.0, float(directions @ products @ directions)))
        if norm < self.eps and len(alphas) > 2:
            raise MergeError(
                f"multislerp: in '{tensor}' the experts' directions cancel with the coefficients "
                f"{', '.join(f'{alpha:.6g}' for alpha in alphas)}: choose others, or a linear method"
            )
        weights = alphas if norm < self.eps else directions * (float(alphas @ lengths) / norm)
        return [float(weight) for weight in weights]


@dataclass(frozen=True)
class Karcher(LinearMethod):
    """theta = r m; m = argmin over |m| = 1 of sum_i alpha_i angle(m, u_i)^2, u_i = theta_i / |theta_i|, each tensor.

    The Karcher mean on the sphere (Karcher, 1977; for merging language models arXiv:2603.04972).
    r = sum_i alpha_i |theta_i|. Steps along the sphere, from the normalised mean of the u_i, lead to it:
    v = sum_i alpha_i angle(m, u_i) / sin(angle) (u_i - cos(angle) m); m <- cos|v| m + sin|v| v / |v|.

    m stays in the span of the experts, so that the steps need no more than their inner products, and the merge is a
    weighted sum. Variant: mergekit 0.1.5's, as to the lengths, start and stop; there the experts count alike, here
    they have weights. Angles are taken in double precision (there: single, too coarse for experts that are nearly
    parallel). If no expert that counts is longer than `tol`, the tensor is mixed linearly (there: 0).
    """

    max_iter: Natural  # steps at most
    tol: Positive  # lengths and angles (radians) below it count as 0

    properties = MethodProperties(is_elementwise=True, recovers_experts=True, merge_time_settings=("max_iter", "tol"))

    def prepare_model(self, groups: Iterable[TensorGroup]) -> dict[str, Float[np.ndarray, "experts experts"]]:
        """Compute the experts' inner products in each tensor."""
        return {group.info.name: inner_products(group, from_parent=False) for group in groups}

    def tensor_weights(self, coefficients: Sequence[float], *, tensor: TensorInfo, state: Any) -> TensorWeights:
        """Return the weights of the mean in that tensor; MergeError off the simplex."""
        check_simplex(coefficients, method=self)
        alphas, products = np.array(coefficients), state[tensor.name]
        lengths = np.sqrt(np.diag(products))
        counts = (lengths > self.tol) & (alphas > 0)
        if not counts.any():
            return TensorWeights(tuple(coefficients))
        mean = self._mean(alphas[counts] / alphas[counts].sum(), cosines(products)[np.ix_(counts, counts)])
        weights = np.zeros_like(alphas)
        weights[counts] = float(alphas @ lengths) * mean / lengths[counts]
        return TensorWeights(tuple(map(float, weights)))

    def _mean(self, alphas: np.ndarray, cosine: np.ndarray) -> np.ndarray:
        """Return the weights of the mean of unit vectors with these cosines."""
        length = _length(alphas, cosine)
        mean = alphas / length if length >= self.tol else np.eye(len(alphas))[0]  # all cancel: start at the first
        for _ in range(self.max_iter):
            along = np.clip(cosine @ mean, -1.0, 1.0)
            angles = np.arccos(along)
            # one that is opposite to the mean pulls in no direction
            pulls = np.where(np.minimum(angles, np.pi - angles) < self.tol, 0.0, alphas * angles)
            pulls = pulls / np.where(pulls == 0.0, 1.0, np.sin(angles))
            step = pulls - float(pulls @ along) * mean
            length = _length(step, cosine)
            if length < self.tol:
                break
            mean = np.cos(length) * mean + np.sin(length) * step / length
            mean = mean / _length(mean, cosine)
        return mean


def _ratio(cosines_of_pairs: Sequence[Tensor], *, num_experts: int) -> Tensor:
    """Return t, the way from the parent to the mean."""
    cosine = torch.stack(list(cosines_of_pairs)).mean(0)
    divisor = 1.0 + (num_experts - 1) * cosine
    singular = divisor.abs() < _SINGULAR
    return torch.where(singular, 0.0, num_experts * cosine / torch.where(singular, 1.0, divisor))


def _length(weights: np.ndarray, cosine: np.ndarray) -> float:
    return float(np.sqrt(max(0.0, float(weights @ cosine @ weights))))


def inner_products(group: TensorGroup, *, from_parent: bool) -> Float[np.ndarray, "experts experts"]:
    """Return <x_i, x_j> of one tensor's experts taken as vectors, from the origin or from their parent.

    The angles of experts that come from one parent are small, and a cosine is flat there: hence double precision.
    """
    experts = [expert.reshape(-1) for expert in group.experts]
    parent = group.parent.reshape(-1) if from_parent else None
    total = torch.zeros(len(experts), len(experts), dtype=torch.float64, device=experts[0].device)
    for begin in range(0, experts[0].numel(), BLOCK):
        part = slice(begin, begin + BLOCK)
        block = torch.stack([expert[part].double() for expert in experts])
        if parent is not None:
            block -= parent[part].double()
        total += block @ block.T
    return np.asarray(total.cpu().numpy())


def cosines(
    products: Float[np.ndarray, "experts experts"], *, floor: float = 0.0
) -> Float[np.ndarray, "experts experts"]:
    """Return the cosines of the angles between vectors with these inner products; 0 if one has no length.

    The product of two lengths counts as at least `floor`.
    """
    lengths = np.sqrt(np.diag(products))
    outer = np.maximum(np.outer(lengths, lengths), floor)
    return np.asarray(np.divide(products, outer, out=np.zeros_like(products), where=outer > 0)).clip(-1.0, 1.0)
