"""Merge by TSV-Merge (Gargiulo et al., 2024, arXiv:2412.00081): orthogonalise the experts' singular directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dfwe.merging.base import MergeMethod, MethodProperties, TensorGroup
from dfwe.merging.methods.spectral.decomposition import Decomposition, average, decompose, is_matrix, orthogonal
from dfwe.values.allowed import Pattern


@dataclass(frozen=True)
class TsvM(MergeMethod):
    """theta = theta_0 + scale * U' diag(n alpha_i S_i) V'^T for each matrix, a weighted mean for all else.

    U_i S_i V_i^T are the first k = floor(r / n) singular directions of expert i's task vector, r the smaller side of
    the matrix and n the number of experts; U' is the orthogonal matrix nearest to [U_1 ... U_n], V' likewise.
    A matrix whose smaller side is less than n keeps no direction and stays the parent's.

    Variant: FusionBench 0.2.33 and the authors' code, which take every tensor of two dimensions for a matrix,
    embeddings and position biases too. `averaged`, a regular expression, names some that are averaged instead.

    Departure: the paper has no coefficients; n alpha_i scales expert i's singular values, so that equal ones give
    the paper's sum. Where experts share a direction exactly, U' has it once (an SVD fills in arbitrary ones).
    """

    scale: float  # the paper's alpha
    averaged: Pattern | None

    properties = MethodProperties(needs_parent=True, merge_time_settings=("scale",))

    def prepare_tensor(self, group: TensorGroup, *, state: Any) -> Decomposition | None:
        """Compute U', all S_i and V', a matrix of the tensor's shape and one of its smaller side; None if averaged."""
        if not is_matrix(group, averaged=self.averaged):
            return None
        rank = min(group.parent.shape) // len(group.experts)
        parts = [decompose(expert - group.parent, rank=rank) for expert in group.experts]
        return Decomposition(
            orthogonal(torch.cat([part.left for part in parts], 1)).to(group.parent),
            torch.cat([part.values for part in parts]).to(group.parent),
            orthogonal(torch.cat([part.right for part in parts], 1)).to(group.parent),
        )

    def merge_tensor(
        self, group: TensorGroup, *, coefficients: Sequence[float], state: Decomposition | None
    ) -> Float[Tensor, "*shape"]:
        """Merge one tensor by one matrix product."""
        if state is None:
            return average(group, coefficients=coefficients, scale=self.scale)
        number = len(coefficients)
        weights = torch.tensor(coefficients).mul(self.scale * number).to(state.values)
        values = state.values * weights.repeat_interleave(len(state.values) // number)
        return torch.addmm(group.parent, state.left * values, state.right.T)
