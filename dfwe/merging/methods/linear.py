"""Merge by weighted sums: mixtures, task arithmetic, WiSE-FT, LiNeS, MetaGPT and NAN."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from dfwe.errors import MergeError
from dfwe.merging.base import (
    LinearMethod,
    MethodProperties,
    RecipeFormat,
    TensorGroup,
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


@dataclass(frozen=True)
class Metagpt(LinearMethod):
    """theta = theta_0 + sum_i n alpha_i lambda_i t_i, lambda_i = ||t_i||^2 / sum_k ||t_k||^2, t_i = theta_i - theta_0.

    MetaGPT (Zhou et al., 2024, arXiv:2406.11385). The norms are those of whole models. lambda minimises a bound on the
    experts' mean loss if task vectors are orthogonal and losses quadratic.

    Departure: the paper has no coefficients; equal ones give its merge and are a search's start.
    """

    properties = MethodProperties(needs_parent=True, is_elementwise=True, is_linear=True)

    def prepare_model(self, groups: Iterable[TensorGroup]) -> tuple[float, ...]:
        """Compute each expert's lambda; equal ones if all experts are the parent."""
        squares = [norm**2 for norm in _norms(groups, from_parent=True)]
        total = sum(squares)
        return tuple(square / total if total else 1.0 / len(squares) for square in squares)

    def tensor_weights(
        self, coefficients: Sequence[float], *, tensor: TensorInfo, state: tuple[float, ...]
    ) -> TensorWeights:
        """Return n alpha_i lambda_i, and what they leave of the parent."""
        number = len(coefficients)
        return around_parent(number * alpha * share for alpha, share in zip(coefficients, state, strict=True))


@dataclass(frozen=True)
class NanWeights(LinearMethod):
    """theta = theta_0 + scale * sum_i n alpha_i lambda_i t_i, lambda_i = (1 / ||w_i||) / sum_k (1 / ||w_k||).

    NAN (Si et al., 2025, arXiv:2505.16148); t_i = theta_i - theta_0 is the task vector.

    Variant: "the norm of the parameters" is taken here of whole models, w_i being t_i, or theta_i itself if
    `of_weights` is true, by which experts of one parent hardly differ. The paper also multiplies the lambda of many
    experts by a factor: `scale`, which the YAML leaves at 1.

    Departure: the paper has no coefficients; equal ones give its merge and are a search's start.
    """

    of_weights: bool
    scale: float

    properties = MethodProperties(
        needs_parent=True, is_elementwise=True, is_linear=True, merge_time_settings=("scale",)
    )

    def prepare_model(self, groups: Iterable[TensorGroup]) -> tuple[float, ...]:
        """Compute each expert's lambda; raise MergeError for an expert whose norm is 0."""
        norms = _norms(groups, from_parent=not self.of_weights)
        for number, norm in enumerate(norms, start=1):
            if norm == 0:
                reason = "weights are all 0" if self.of_weights else "weights are the parent's"
                raise MergeError(f"nan_weights divides by norms, and expert {number}'s {reason}: merge without it")
        total = sum(1.0 / norm for norm in norms)
        return tuple(1.0 / norm / total for norm in norms)

    def tensor_weights(
        self, coefficients: Sequence[float], *, tensor: TensorInfo, state: tuple[float, ...]
    ) -> TensorWeights:
        """Return scale n alpha_i lambda_i, and what they leave of the parent."""
        factor = self.scale * len(coefficients)
        return around_parent(factor * alpha * share for alpha, share in zip(coefficients, state, strict=True))


def _about_parent(*, recovers_experts: bool, settings: tuple[str, ...]) -> MethodProperties:
    return MethodProperties(
        needs_parent=True,
        is_elementwise=True,
        is_linear=True,
        recovers_experts=recovers_experts,
        merge_time_settings=settings,
    )


def _norms(groups: Iterable[TensorGroup], *, from_parent: bool) -> list[float]:
    """Return ||theta_i - theta_0||, or ||theta_i||, of each expert over all tensors."""
    norms: list[list[float]] = []
    for group in groups:
        tensors = group.task_vectors() if from_parent else group.experts
        norms.append([float(torch.linalg.vector_norm(tensor, dtype=torch.float64)) for tensor in tensors])
    return [math.hypot(*lengths) for lengths in zip(*norms, strict=True)]
