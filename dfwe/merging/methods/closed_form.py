"""Merge task vectors with coefficients in closed form: MetaGPT and NAN."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dfwe.errors import MergeError
from dfwe.merging.base import LinearMethod, MethodProperties, TensorGroup, TensorInfo, TensorWeights, around_parent
from dfwe.merging.methods.geometry import task_vector_norms, weight_norms


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
        squares = [norm**2 for norm in task_vector_norms(groups)]
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
        norms = weight_norms(groups) if self.of_weights else task_vector_norms(groups)
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
