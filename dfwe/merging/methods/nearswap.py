"""Merge by bounding how far values move: nearswap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dfwe.merging.base import AnyShape, MergeMethod, MethodProperties, TensorGroup, weighted_sum
from dfwe.values.allowed import NonNegative


@dataclass(frozen=True)
class Nearswap(MergeMethod):
    """theta = theta_0 + w d, d = sum_i alpha_i (theta_i - theta_0), w = min(1, t / |d|) for each value.

    Nearswap (alchemonaut, 2024; mergekit): a value of the parent becomes the other model's where both are nearer than
    t, and else moves towards it by t. So it is the task vector cut off at t: w d is d bounded to [-t, t].

    Departure: there is one other model there; here it is the weighted mixture of experts.
    """

    t: NonNegative  # how far a weight may move

    properties = MethodProperties(
        needs_parent=True, is_elementwise=True, merge_time_settings=("t",), hides_bad_values=True
    )

    def merge_tensor(self, group: TensorGroup, *, coefficients: Sequence[float], state: Any) -> AnyShape:
        """Move each value of a tensor or block by at most t."""
        moved = weighted_sum(group.task_vectors(), coefficients)
        return moved.clamp_(-self.t, self.t).add_(group.parent)
