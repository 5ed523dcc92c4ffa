"""Merge by averaging each value over the experts that changed it: RAM (Yuan et al., 2026, arXiv:2601.13572)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from dfwe.merging.base import AnyShape, MergeMethod, MethodProperties, TensorGroup, check_simplex
from dfwe.values.allowed import NonNegative


@dataclass(frozen=True)
class Ram(MergeMethod):
    """theta_p = theta_0p + sum_{i in C_p} alpha_i t_ip / sum_{i in C_p} alpha_i, C_p = {i: |t_ip| > epsilon}.

    t_i is the task vector theta_i - theta_0. Reinforced Agent Merging: reinforcement learning changes few values, and
    other ones in each expert. What several changed is averaged over these, what one alone changed stays as it is, and
    neither is diluted by the experts that left it alone.

    Departure: the paper has no coefficients, nor has mergekit's `ram`; equal ones give theirs. The default of epsilon
    is mergekit's. The paper's RAM+, which also enlarges what one expert alone changed, is not here.
    """

    epsilon: NonNegative  # changes up to this size count as none

    @property
    def properties(self) -> MethodProperties:
        """Properties: experts are recovered only if all changes count."""
        return MethodProperties(
            needs_parent=True,
            is_elementwise=True,
            recovers_experts=self.epsilon == 0,
            merge_time_settings=("epsilon",),
        )

    def merge_tensor(self, group: TensorGroup, *, coefficients: Sequence[float], state: Any) -> AnyShape:
        """Merge one tensor or block; MergeError off the simplex."""
        check_simplex(coefficients, method=self)
        total, weights = torch.zeros_like(group.parent), torch.zeros_like(group.parent)
        for vector, coefficient in zip(group.task_vectors(), coefficients, strict=True):
            is_changed = vector.abs() > self.epsilon
            total.add_(vector.mul_(is_changed), alpha=coefficient)
            weights.add_(is_changed.to(weights), alpha=coefficient)
        return total.div_(weights.masked_fill_(weights == 0, 1.0)).add_(group.parent)
