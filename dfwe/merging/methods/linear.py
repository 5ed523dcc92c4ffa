"""Merge by weighted sums: mixtures, task arithmetic, WiSE-FT and LiNeS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dfwe.merging.base import (
    LinearMethod,
    MethodProperties,
    RecipeFormat,
    TensorInfo,
    TensorWeights,
    around_parent,
    check_simplex,
)
from dfwe.values.allowed import Share


@dataclass(frozen=True)
class Linear(LinearMethod):
    """theta(A) = sum_i alpha_i theta_i: equation 1 of Derivative Free Weight-space Ensembling (Ninalga, 2023).

    With alpha_i = 1/n it is the uniform soup (Wortsman et al., 2022). mergekit's `linear` divides the weights by their
    sum unless `normalize` is false.
    """

    recipe = RecipeFormat(normalize=True)
    properties = MethodProperties(is_elementwise=True, is_linear=True, recovers_experts=True)

    def tensor_weights(self, coefficients: Sequence[float], *, tensor: TensorInfo, state: Any) -> TensorWeights:
        """Return the coefficients themselves."""
        return TensorWeights(tuple(coefficients))


@dataclass(frozen=True)
class TaskArithmetic(LinearMethod):
    """theta = theta_0 + scale * sum_i alpha_i (theta_i - theta_0) (Ilharco et al., 2023, arXiv:2212.04089).

    With coefficients that add up to 1 and a scale of 1 it is the linear mixture; a smaller scale stays nearer the
    parent. mergekit calls the scale `lambda` and divides the weights by their sum only if `normalize` is true.
    """

    scale: float  # the paper's lambda is scale / n, for n experts

    recipe = RecipeFormat(normalize=False)

    @property
    def properties(self) -> MethodProperties:
        """Properties: experts are recovered only with a scale of 1."""
        return _about_parent(recovers_experts=self.scale == 1.0, settings=("scale",))

    def tensor_weights(self, coefficients: Sequence[float], *, tensor: TensorInfo, state: Any) -> TensorWeights:
        """Return the scaled coefficients, and what they leave of the parent."""
        return around_parent(self.scale * coefficient for coefficient in coefficients)


@dataclass(frozen=True)
class WiseFt(LinearMethod):
    """theta = (1 - share) theta_0 + share * sum_i alpha_i theta_i (WiSE-FT, Wortsman et al., 2022, arXiv:2109.01903).

    Departure: the paper has one fine-tuned model; here it is the convex mixture of experts.
    """

    share: Share  # the paper's alpha, of the mixture: 0 is the parent, 1 the mixture

    @property
    def properties(self) -> MethodProperties:
        """Properties: experts are recovered only if nothing is left of the parent."""
        return _about_parent(recovers_experts=self.share == 1.0, settings=("share",))

    def tensor_weights(self, coefficients: Sequence[float], *, tensor: TensorInfo, state: Any) -> TensorWeights:
        """Return the mixture's share of each coefficient, and the rest for the parent; MergeError off the simplex."""
        check_simplex(coefficients, method=self)
        return TensorWeights(tuple(self.share * coefficient for coefficient in coefficients), parent=1.0 - self.share)


@dataclass(frozen=True)
class Lines(LinearMethod):
    """theta = theta_0 + (alpha + beta * depth) * sum_i alpha_i (theta_i - theta_0), depth = (l - 1) / (L - 1).

    LiNeS (Wang et al., 2024, arXiv:2410.17146): task vectors count for more in deeper layers. Layer l of L in its
    stack: an encoder and a decoder each go from 0 to 1. Tensors outside of layers (embeddings, heads, last norms) have
    depth 0, as in the authors' code.

    Departure: the paper scales the sum of n task vectors, with alpha = 1/n; here it is their weighted mean, so that
    its alpha is 1 and its beta is n times the paper's. For one expert both are the paper's, where alpha below 1 and
    beta = 1 - alpha keep what the parent could do.
    """

    alpha: float  # at the first layer
    beta: float  # from the first layer to the last

    @property
    def properties(self) -> MethodProperties:
        """Properties: experts are recovered only if nothing is scaled."""
        return _about_parent(recovers_experts=self.alpha == 1.0 and self.beta == 0.0, settings=("alpha", "beta"))

    def tensor_weights(self, coefficients: Sequence[float], *, tensor: TensorInfo, state: Any) -> TensorWeights:
        """Return the coefficients scaled by depth, and what they leave of the parent."""
        scale = self.alpha + self.beta * tensor.depth
        return around_parent(scale * coefficient for coefficient in coefficients)


def _about_parent(*, recovers_experts: bool, settings: tuple[str, ...]) -> MethodProperties:
    return MethodProperties(
        needs_parent=True,
        is_elementwise=True,
        is_linear=True,
        recovers_experts=recovers_experts,
        merge_time_settings=settings,
    )
