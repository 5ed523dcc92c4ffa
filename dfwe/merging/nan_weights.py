"""NAN (Si et al., 2025, arXiv:2505.16148): coefficients in closed form, the inverse of each expert's norm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dfwe.errors import MergeError
from dfwe.merging.base import Factors, Mixing, Piece, Traits
from dfwe.merging.norms import task_vector_norms, weight_norms
from dfwe.merging.place import Place
from dfwe.merging.recipe_rule import TaskVectorRule, equal_unless_given, take


@dataclass(frozen=True)
class NanWeights(Mixing, TaskVectorRule):
    """theta = theta_0 + scale * sum_i n alpha_i lambda_i t_i, lambda_i = (1 / ||w_i||) / sum_k (1 / ||w_k||).

    t_i = theta_i - theta_0 is the task vector.

    Variant: "the norm of the parameters" is taken here of whole models, w_i being t_i, or theta_i itself if
    `of_weights` is true, by which experts of one parent hardly differ. The paper also multiplies the lambda of many
    experts by a factor: `scale`, which the YAML leaves at 1.

    Departure: the paper has no coefficients; equal ones give its merge, others change it: a search's start.
    """

    of_weights: bool
    scale: float

    @property
    def traits(self) -> Traits:
        """A vertex is the parent and n lambda_i of a task vector."""
        return Traits(parent=True, elementwise=True, linear=True, late=("scale",))

    def check(self, num_experts: int) -> None:
        """Any number of experts will do."""

    def survey(self, pieces: Iterable[Piece]) -> tuple[float, ...]:
        """Each expert's lambda; MergeError for an expert whose norm is 0."""
        norms = weight_norms(pieces) if self.of_weights else task_vector_norms(pieces)
        for place, norm in enumerate(norms, 1):
            if norm == 0:
                found = "weights are all 0" if self.of_weights else "weights are the parent's"
                raise MergeError(f"nan_weights divides by norms, and expert {place}'s {found}: merge without it")
        total = sum(1.0 / norm for norm in norms)
        return tuple(1.0 / norm / total for norm in norms)

    def factors(self, coefficients: Sequence[float], *, place: Place, survey: tuple[float, ...]) -> Factors:
        """scale n alpha_i lambda_i, and what they leave of the parent."""
        times = self.scale * len(coefficients)
        scaled = tuple(times * each * share for each, share in zip(coefficients, survey, strict=True))
        return Factors(scaled, parent=1.0 - sum(scaled))

    @classmethod
    def from_recipe(
        cls, weights: Sequence[float | None], parameters: Mapping[str, Any]
    ) -> tuple[NanWeights, tuple[float, ...]]:
        """See RecipeRule; mergekit has no such method, the parameters are the fields."""
        settings = take(parameters, known={"of_weights": False, "scale": 1.0}, rule="nan_weights")
        return cls(**settings), equal_unless_given(weights, rule="nan_weights")
