"""Merge along the sphere: slerp, multislerp and the Karcher mean."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from dfwe.errors import MergeError
from dfwe.merging.base import (
    LinearMethod,
    MergeMethod,
    MethodProperties,
    RecipeFormat,
    TensorGroup,
    TensorInfo,
    TensorWeights,
    check_simplex,
    weighted_sum,
)
from dfwe.merging.methods.geometry import cosines, inner_products
from dfwe.values.allowed import Natural, Positive, Share


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
    properties = MethodProperties(recovers_experts=True)

    def check_experts(self, num_experts: int) -> None:
        """Raise MergeError unless there are two experts."""
        if num_experts != 2:
            raise MergeError(f"slerp merges two models, not {num_experts}")

    def merge_tensor(self, group: TensorGroup, *, coefficients: Sequence[float], state: Any) -> Float[Tensor, "*shape"]:
        """Interpolate one tensor."""
        self.check_experts(len(group.experts))
        first, second = group.experts
        total = sum(coefficients)
        share = coefficients[1] / total if total else 0.0
        return weighted_sum((first, second), self._weights(first, second, share=share))

    def _weights(self, first: Tensor, second: Tensor, *, share: float) -> tuple[float, float]:
        norms = float(first.norm()), float(second.norm())
        if min(norms) == 0.0:
            return 1.0 - share, share
        cosine = float(first.flatten() @ second.flatten()) / (norms[0] * norms[1])
        if abs(cosine) > self.parallel:
            return 1.0 - share, share
        angle = math.acos(cosine)
        return math.sin((1.0 - share) * angle) / math.sin(angle), math.sin(share * angle) / math.sin(angle)


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
    ) -> Float[Tensor, "*shape"]:
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


def _length(weights: np.ndarray, cosine: np.ndarray) -> float:
    return float(np.sqrt(max(0.0, float(weights @ cosine @ weights))))
