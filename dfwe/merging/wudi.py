"""WUDI-Merging (Cheng et al., 2025, arXiv:2503.08099): the task vector that disturbs the experts' layers least."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dfwe.errors import MergeError
from dfwe.merging.base import Piece, Rule, Traits, on_simplex, weighted_sum
from dfwe.merging.recipe_rule import TaskVectorRule, equal_unless_given, take
from dfwe.merging.spectral import average, check_averaged, is_matrix
from dfwe.values.allowed import Natural, Pattern, Positive


@dataclass(frozen=True)
class Wudi(Rule, TaskVectorRule):
    """theta = theta_0 + t for each matrix, where t makes sum_i n alpha_i ||(t - t_i) t_i^T||^2 / ||t_i||^2 small.

    t_i = theta_i - theta_0 is out x in: its rows stand for the layer's inputs. t starts as sum_i n alpha_i t_i and
    makes `steps` steps of Adam (betas 0.9 and 0.999); it is not followed to the minimum, so that the learning rate
    counts. The gradient is 2 (t A - B), A = sum_i n alpha_i t_i^T t_i / ||t_i||^2 and B the same sum of t_i t_i^T t_i:
    a step is one matrix product, however many experts. What is no matrix is the weighted mean.

    Variant: the authors' code, in which embeddings (whose inputs are no vectors) and norms are averaged: `averaged`,
    a regular expression, says which matrices are.

    Departure: the paper has no coefficients; here they weigh the losses and the start. Equal ones give the paper's.
    """

    steps: Natural
    learning_rate: Positive
    averaged: Pattern | None

    @property
    def traits(self) -> Traits:
        """Every candidate is optimised anew: minutes for a large model without an accelerator."""
        return Traits(parent=True, late=("steps", "learning_rate", "averaged"))

    def check(self, num_experts: int) -> None:
        """MergeError for settings that are not positive, or where `averaged` is no regular expression."""
        if self.steps < 0:
            raise MergeError(f"wudi: steps must be at least 0, not {self.steps}")
        if not self.learning_rate > 0:
            raise MergeError(f"wudi: learning_rate must be above 0, not {self.learning_rate}")
        check_averaged(self.averaged, rule="wudi")

    def tensor(self, piece: Piece, *, coefficients: Sequence[float], found: Any) -> Float[Tensor, "*shape"]:
        """The same of one tensor; MergeError for coefficients that are not on the simplex."""
        on_simplex(coefficients, rule="wudi")
        if not is_matrix(piece, averaged=self.averaged):
            return average(piece, coefficients=coefficients, scale=1.0)
        weights = [len(coefficients) * coefficient for coefficient in coefficients]
        vectors = [expert - piece.base for expert in piece.experts]
        inputs, outputs = _normal_equations(vectors, weights=weights)
        merged = weighted_sum(vectors, weights)
        optimizer = torch.optim.Adam([merged], lr=self.learning_rate)
        for _ in range(self.steps):
            merged.grad = torch.addmm(outputs, merged, inputs, beta=-2, alpha=2)
            optimizer.step()
        return merged + piece.base

    @classmethod
    def from_recipe(
        cls, weights: Sequence[float | None], parameters: Mapping[str, Any]
    ) -> tuple[Wudi, tuple[float, ...]]:
        """See RecipeRule; mergekit has no such method, the parameters are the fields."""
        known = {"steps": 300, "learning_rate": 1e-5, "averaged": EMBEDDINGS}
        return cls(**take(parameters, known=known, rule="wudi")), equal_unless_given(weights, rule="wudi")


EMBEDDINGS = r"shared|embed|relative_attention_bias"


def _normal_equations(
    vectors: Sequence[Float[Tensor, "rows columns"]], *, weights: Sequence[float]
) -> tuple[Float[Tensor, "columns columns"], Float[Tensor, "rows columns"]]:
    """A and B: the loss is least where t A = B."""
    rows, columns = vectors[0].shape
    inputs, outputs = vectors[0].new_zeros(columns, columns), vectors[0].new_zeros(rows, columns)
    for vector, weight in zip(vectors, weights, strict=True):
        size = float(vector.square().sum())
        if weight and size:
            squared = vector.T @ vector
            inputs.add_(squared, alpha=weight / size)
            outputs.addmm_(vector, squared, alpha=weight / size)
    return inputs, outputs
