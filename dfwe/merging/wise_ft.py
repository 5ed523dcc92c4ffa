"""WiSE-FT (Wortsman et al., 2022, arXiv:2109.01903): interpolate between the parent and what was made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dfwe.errors import MergeError
from dfwe.merging.base import Factors, Mixing, Traits, on_simplex
from dfwe.merging.place import Place
from dfwe.merging.recipe_rule import TaskVectorRule, equal_unless_given, take
from dfwe.values.allowed import Share


@dataclass(frozen=True)
class WiseFt(Mixing, TaskVectorRule):
    """theta = (1 - share) theta_0 + share * sum_i alpha_i theta_i.

    Departure: the paper has one fine-tuned model; here it is the convex mixture of experts, one expert at a vertex.
    """

    share: Share  # the paper's alpha, of the mixture: 0 is the parent, 1 the mixture

    @property
    def traits(self) -> Traits:
        """A vertex is its expert only where nothing is left of the parent."""
        return Traits(parent=True, elementwise=True, vertices=self.share == 1.0, linear=True, late=("share",))

    def check(self, num_experts: int) -> None:
        """MergeError for a share outside [0, 1]."""
        if not 0 <= self.share <= 1:
            raise MergeError(f"wise_ft: share must be in [0, 1], not {self.share}")

    def factors(self, coefficients: Sequence[float], *, place: Place, survey: Any) -> Factors:
        """The mixture's share of each coefficient, the rest is the parent's; MergeError beside the simplex."""
        on_simplex(coefficients, rule="wise_ft")
        return Factors(tuple(self.share * coefficient for coefficient in coefficients), parent=1.0 - self.share)

    @classmethod
    def from_recipe(
        cls, weights: Sequence[float | None], parameters: Mapping[str, Any]
    ) -> tuple[WiseFt, tuple[float, ...]]:
        """See RecipeRule; without weights the experts count alike."""
        settings = take(parameters, known={"share": 0.5}, rule="wise_ft")
        return cls(share=settings["share"]), equal_unless_given(weights, rule="wise_ft")
