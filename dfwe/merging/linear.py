"""The convex mixture of experts: equation 1 of Derivative Free Weight-space Ensembling (Ninalga, 2023)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dfwe.merging.base import Combine, Rule
from dfwe.merging.experts import ExpertArray


@dataclass(frozen=True)
class Linear(Rule):
    """theta(A) = sum_i alpha_i theta_i; with alpha_i = 1/n it is the uniform soup (Wortsman et al., 2022)."""

    @property
    def convex(self) -> bool:
        """A vertex of the simplex is an expert."""
        return True

    def prepare(self, experts: ExpertArray) -> Combine:
        """One matrix-vector product, straight into the buffer: no copy of any expert."""
        columns = experts.weights.t()

        def combine(coefficients: Float[Tensor, " experts"], out: Float[Tensor, " parameters"]) -> None:
            torch.mv(columns, coefficients.to(columns), out=out)

        return combine
