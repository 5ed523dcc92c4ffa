"""MetaGPT (Zhou et al., 2024, arXiv:2406.11385): task arithmetic with coefficients in closed form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dfwe.merging.base import Factors, Mixing, Piece, Traits
from dfwe.merging.norms import task_vector_norms
from dfwe.merging.place import Place
from dfwe.merging.recipe_rule import TaskVectorRule, equal_unless_given, take


@dataclass(frozen=True)
class Metagpt(Mixing, TaskVectorRule):
    """theta = theta_0 + sum_i n alpha_i lambda_i t_i, lambda_i = ||t_i||^2 / sum_k ||t_k||^2, t_i = theta_i - theta_0.

    The norms are those of whole models. lambda minimises a bound on the experts' mean loss if task vectors are
    orthogonal and losses quadratic.

    Departure: the paper has no coefficients; equal ones give its merge, others change it: a search's start.
    """

    @property
    def traits(self) -> Traits:
        """A vertex is the parent and n lambda_i of a task vector."""
        return Traits(parent=True, elementwise=True, linear=True)

    def check(self, num_experts: int) -> None:
        """Any number of experts will do."""

    def survey(self, pieces: Iterable[Piece]) -> tuple[float, ...]:
        """Each expert's lambda; equal ones where all experts are the parent."""
        squares = [norm**2 for norm in task_vector_norms(pieces)]
        total = sum(squares)
        return tuple(square / total if total else 1.0 / len(squares) for square in squares)

    def factors(self, coefficients: Sequence[float], *, place: Place, survey: tuple[float, ...]) -> Factors:
        """n alpha_i lambda_i, and what they leave of the parent."""
        number = len(coefficients)
        scaled = tuple(number * each * share for each, share in zip(coefficients, survey, strict=True))
        return Factors(scaled, parent=1.0 - sum(scaled))

    @classmethod
    def from_recipe(
        cls, weights: Sequence[float | None], parameters: Mapping[str, Any]
    ) -> tuple[Metagpt, tuple[float, ...]]:
        """See RecipeRule; mergekit has no such method, and this has no parameters."""
        take(parameters, known={}, rule="metagpt")
        return cls(), equal_unless_given(weights, rule="metagpt")
