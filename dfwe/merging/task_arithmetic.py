"""Task arithmetic (Ilharco et al., 2023, arXiv:2212.04089): add task vectors to the parent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dfwe.merging.base import Factors, Mixing, Traits
from dfwe.merging.place import Place
from dfwe.merging.recipe_rule import TaskVectorRule, given, take


@dataclass(frozen=True)
class TaskArithmetic(Mixing, TaskVectorRule):
    """theta = theta_0 + scale * sum_i alpha_i (theta_i - theta_0).

    With coefficients that add up to 1 and a scale of 1 it is the linear mixture; a smaller scale stays nearer the
    parent. mergekit calls the scale `lambda` and divides the weights by their sum only if `normalize` is true.
    """

    scale: float  # the paper's lambda is scale / n, for n experts

    @property
    def traits(self) -> Traits:
        """A vertex is its expert only with a scale of 1."""
        return Traits(parent=True, elementwise=True, vertices=self.scale == 1.0, linear=True, late=("scale",))

    def check(self, num_experts: int) -> None:
        """Any number of experts will do."""

    def factors(self, coefficients: Sequence[float], *, place: Place, survey: Any) -> Factors:
        """The scaled coefficients, and what they leave of the parent."""
        scaled = tuple(self.scale * coefficient for coefficient in coefficients)
        return Factors(scaled, parent=1.0 - sum(scaled))

    @classmethod
    def from_recipe(
        cls, weights: Sequence[float | None], parameters: Mapping[str, Any]
    ) -> tuple[TaskArithmetic, tuple[float, ...]]:
        """See RecipeRule."""
        settings = take(parameters, known={"normalize": False, "lambda": 1.0}, rule="task_arithmetic")
        coefficients = given(weights, normalise=settings["normalize"], rule="task_arithmetic")
        return cls(scale=settings["lambda"]), coefficients
