"""TIES-Merging (Yadav et al., 2023, arXiv:2306.01708): trim, elect sign, disjoint merge."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from dfwe.errors import MergeError
from dfwe.merging.base import Combine, Rule
from dfwe.merging.experts import ExpertArray


@dataclass(frozen=True)
class Ties(Rule):
    """theta = theta_0 + scale * tau, tau_p = sum_{i in A_p} alpha_i t_ip / sum_{i in A_p} alpha_i.

    t_i is the task vector theta_i - theta_0 with all but its `density` largest entries (over the whole vector, as in
    the paper) set to zero; A_p are the experts whose t_ip is not zero and has the elected sign, that of
    sum_i alpha_i t_ip.

    Departure: the paper has no coefficients; here they weigh the election and the mean. Equal ones give the paper's.
    """

    density: float  # share of entries kept, in (0, 1]
    scale: float  # the paper's lambda

    @property
    def convex(self) -> bool:
        """Trimming and election make a vertex another model than its expert."""
        return False

    def check(self, num_experts: int) -> None:
        """MergeError for a density outside (0, 1]."""
        if not 0 < self.density <= 1:
            raise MergeError(f"ties: density must be in (0, 1], not {self.density}")

    def prepare(self, experts: ExpertArray) -> Combine:
        """Trims the task vectors once; MergeError without a parent or with a density outside (0, 1]."""
        self.check(len(experts.names))
        if experts.parent is None:
            raise MergeError("ties needs the experts' common parent: give one to load_experts")
        parent = experts.parent
        trimmed = torch.stack([_trim(row - parent, density=self.density) for row in experts.weights])

        def combine(coefficients: Float[Tensor, " experts"], out: Float[Tensor, " parameters"]) -> None:
            weights = coefficients.to(trimmed)[:, None]
            weighted = trimmed * weights
            agree = (trimmed.sign() == weighted.sum(0).sign()) & (trimmed != 0)
            total = (agree * weights).sum(0)
            torch.where(
                total > 0,
                (weighted * agree).sum(0) / total.clamp(min=1e-12),
                torch.zeros_like(total),
                out=out,
            )
            out.mul_(self.scale).add_(parent)

        return combine


def _trim(task_vector: Float[Tensor, " parameters"], *, density: float) -> Float[Tensor, " parameters"]:
    kept = max(1, round(density * task_vector.numel()))
    threshold = task_vector.abs().kthvalue(task_vector.numel() - kept + 1).values
    return torch.where(task_vector.abs() >= threshold, task_vector, torch.zeros_like(task_vector))
