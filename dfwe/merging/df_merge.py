"""DF-Merge (Lee et al., 2025, arXiv:2504.18992): Fisher-weighted task vectors, their scales searched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dfwe.merging.base import Piece, Rule, Traits
from dfwe.merging.fisher import check_floor, check_shapes, fisher_of, root_mean_squares, without_fisher
from dfwe.values.allowed import NonNegative


@dataclass(frozen=True)
class DfMerge(Rule):
    """theta_p = sum_i F_ip (theta_0p + lambda_i tau_ip) / sum_i F_ip, tau_i = theta_i - theta_0.

    F_i is the diagonal of expert i's Fisher matrix and lambda_i = scale * n * alpha_i for n experts: equal coefficients
    on the simplex and a scale of 1 give Fisher merging with equal coefficients. Where no F_ip is above 0 the experts
    count alike. `floor` and `normalise` are those of Fisher merging.

    Departures: the paper finds lambda by Bayesian optimisation and measures F anew at each theta_0 + lambda_i tau_i;
    here any search finds it, and F is the experts' own, collected once.
    """

    scale: float
    floor: NonNegative
    normalise: bool

    @property
    def traits(self) -> Traits:
        """Linear in the coefficients; a vertex is no expert, as every F counts in the denominator."""
        return Traits(parent=True, elementwise=True, linear=True, late=("scale", "floor"), statistics=True)

    def check(self, num_experts: int) -> None:
        """MergeError for a floor below 0."""
        check_floor(self.floor, rule="df_merge")

    def survey(self, pieces: Iterable[Piece]) -> tuple[float, ...] | None:
        """What each expert's Fisher values are divided by; None for nothing."""
        return root_mean_squares(pieces) if self.normalise else None

    def examine(self, piece: Piece, *, survey: Any) -> Any:
        """The same; MergeError where a statistic is no Fisher diagonal."""
        check_shapes(piece, rule="df_merge")
        return survey

    def notes(self, pieces: Iterable[Piece]) -> dict[str, Any]:
        """How many values no expert has a Fisher value above 0 for, so that the experts count alike there."""
        return {"without_fisher": without_fisher(pieces)}

    def tensor(self, piece: Piece, *, coefficients: Sequence[float], found: Any) -> Float[Tensor, "*shape"]:
        """The parent and the weighted task vectors of one block."""
        number = len(piece.experts)
        moved, total = torch.zeros_like(piece.base), torch.zeros_like(piece.base)
        alike = torch.zeros_like(piece.base)
        for place, (expert, coefficient) in enumerate(zip(piece.experts, coefficients, strict=True)):
            vector = (expert - piece.base).mul_(self.scale * number * coefficient)
            weights = fisher_of(piece, expert=place, scales=found, floor=self.floor)
            total.add_(weights)
            alike.add_(vector, alpha=1.0 / number)
            moved.add_(weights.mul_(vector))
        return torch.where(total > 0, moved.div_(total), alike).add_(piece.base)
