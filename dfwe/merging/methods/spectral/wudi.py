"""Merge by WUDI-Merging (Cheng et al., 2025, arXiv:2503.08099): disturb the experts' layers least."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dfwe.merging.base import MergeMethod, MethodProperties, TensorGroup, check_simplex, weighted_sum
from dfwe.merging.methods.spectral.decomposition import average, is_matrix
from dfwe.values.allowed import Natural, Pattern, Positive


@dataclass(frozen=True)
class Wudi(MergeMethod):
    """theta = theta_0 + t for each matrix, where t makes sum_i n alpha_i ||(t - t_i) t_i^T||^2 / ||t_i||^2 small.

    t_i = theta_i - theta_0 is out x in: its rows stand for the layer's inputs. t starts as sum_i n alpha_i t_i and
    makes `steps` steps of Adam (betas 0.9 and 0.999); it is not followed to the minimum, so that the learning rate
    counts. The gradient is 2 (t A - B), A = sum_i n alpha_i t_i^T t_i / ||t_i||^2 and B the same sum of t_i t_i^T t_i:
    a step is one matrix product, however many experts. All other tensors are the weighted mean.

    Variant: the authors' code, in which embeddings (whose inputs are no vectors) and norms are averaged: `averaged`,
    a regular expression, names such matrices.

    Departure: the paper has no coefficients; here they weigh the losses and the start. Equal ones give the paper's.
    """

    steps: Natural
    learning_rate: Positive
    averaged: Pattern | None

    # every candidate is optimised anew: minutes for a large model without an accelerator
    properties = MethodProperties(needs_parent=True, merge_time_settings=("steps", "learning_rate", "averaged"))

    def merge_tensor(self, group: TensorGroup, *, coefficients: Sequence[float], state: Any) -> Float[Tensor, "*shape"]:
        """Merge one tensor; MergeError for coefficients off the simplex."""
        check_simplex(coefficients, method=self)
        if not is_matrix(group, averaged=self.averaged):
            return average(group, coefficients=coefficients, scale=1.0)
        weights = [len(coefficients) * coefficient for coefficient in coefficients]
        vectors = [expert - group.parent for expert in group.experts]
        inputs, outputs = _normal_equations(vectors, weights=weights)
        merged = weighted_sum(vectors, weights)
        optimizer = torch.optim.Adam([merged], lr=self.learning_rate)
        for _ in range(self.steps):
            merged.grad = torch.addmm(outputs, merged, inputs, beta=-2, alpha=2)
            optimizer.step()
        return merged + group.parent


def _normal_equations(
    vectors: Sequence[Float[Tensor, "rows columns"]], *, weights: Sequence[float]
) -> tuple[Float[Tensor, "columns columns"], Float[Tensor, "rows columns"]]:
    """Return A and B: the loss is least where t A = B."""
    rows, columns = vectors[0].shape
    inputs, outputs = vectors[0].new_zeros(columns, columns), vectors[0].new_zeros(rows, columns)
    for vector, weight in zip(vectors, weights, strict=True):
        size = float(vector.square().sum())
        if weight and size:
            squared = vector.T @ vector
            inputs.add_(squared, alpha=weight / size)
            outputs.addmm_(vector, squared, alpha=weight / size)
    return inputs, outputs
