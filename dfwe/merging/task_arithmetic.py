"""Task arithmetic (Ilharco et al., 2023, arXiv:2212.04089): add task vectors to the parent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from dfwe.errors import MergeError
from dfwe.merging.base import Combine, Rule, TensorRule, given, take, weighted_sum
from dfwe.merging.experts import ExpertArray

Parent = TypeVar("Parent")  # the weights, or the name


@dataclass(frozen=True)
class TaskArithmetic(Rule, TensorRule):
    """theta = theta_0 + scale * sum_i alpha_i (theta_i - theta_0).

    With coefficients that add up to 1 and a scale of 1 it is the linear mixture; a smaller scale stays nearer the
    parent. mergekit calls the scale `lambda` and divides the weights by their sum only if `normalize` is true.
    """

    scale: float  # the paper's lambda

    @property
    def convex(self) -> bool:
        """A vertex is its expert only with a scale of 1."""
        return self.scale == 1.0

    @property
    def elementwise(self) -> bool:
        """A sum is."""
        return True

    def check(self, num_experts: int) -> None:
        """Any number of experts will do."""

    def prepare(self, experts: ExpertArray) -> Combine:
        """One matrix-vector product and one step towards the parent; MergeError without one."""
        parent = _needed(experts.parent)
        columns = experts.weights.t()

        def combine(coefficients: Float[Tensor, " experts"], out: Float[Tensor, " parameters"]) -> None:
            torch.mv(columns, coefficients.to(columns) * self.scale, out=out)
            out.add_(parent, alpha=1.0 - self.scale * float(coefficients.sum()))

        return combine

    def tensor(
        self, weights: Sequence[Tensor], *, coefficients: Sequence[float], parent: Tensor | None
    ) -> Float[Tensor, "*shape"]:
        """The same of one tensor; MergeError without a parent."""
        scaled = [self.scale * coefficient for coefficient in coefficients]
        return weighted_sum([_needed(parent), *weights], [1.0 - sum(scaled), *scaled])

    @classmethod
    def merges(cls, models: Sequence[str], *, base: str | None) -> tuple[str, ...]:
        """All but the base model, whose task vector is zero; MergeError without one."""
        _needed(base)
        return tuple(model for model in models if model != base)

    @classmethod
    def from_recipe(
        cls, weights: Sequence[float | None], parameters: Mapping[str, Any]
    ) -> tuple[TaskArithmetic, tuple[float, ...]]:
        """See TensorRule."""
        settings = take(parameters, known={"normalize": False, "lambda": 1.0}, rule="task_arithmetic")
        coefficients = given(weights, normalise=settings["normalize"], rule="task_arithmetic")
        return cls(scale=settings["lambda"]), coefficients


def _needed(parent: Parent | None) -> Parent:
    if parent is None:
        raise MergeError("task_arithmetic needs the experts' common parent (a recipe's base_model)")
    return parent
