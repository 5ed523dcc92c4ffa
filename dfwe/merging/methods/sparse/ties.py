"""Merge by TIES (Yadav et al., 2023, arXiv:2306.01708): trim, elect sign, disjoint merge."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from dfwe.merging.base import RecipeFormat, TensorGroup
from dfwe.merging.methods.sparse.consensus import Aggregate, SparseElection
from dfwe.merging.methods.sparse.ranks import nth_smallest
from dfwe.merging.methods.sparse.sparsify import MagnitudeThreshold, task_vectors
from dfwe.values.allowed import PositiveShare


@dataclass(frozen=True)
class Ties(SparseElection):
    """theta = theta_0 + scale * tau; tau merges the trimmed task vectors by election (see `elect_signs`).

    t_i is the task vector theta_i - theta_0 with all but its `density` largest entries set to zero. Two variants:
    `trim: model` ranks the entries of the whole vector, as the paper and FusionBench 0.2.33 do, and keeps
    round(density * size) of them (FusionBench: int(density * size) + 1) and all that are as large as the last one;
    `trim: tensor` ranks those of each tensor and keeps int(density * size) of them, at least one, as mergekit 0.1.5
    does; of equal ones the last (mergekit: any). `aggregate` is the paper's mean, or FusionBench's sum or max.
    mergekit with `normalize: false` sums.

    Departures: the paper has no coefficients; here they weigh election and aggregate, and equal ones give the paper's.
    Where the votes add up to 0 exactly + is elected, as in mergekit; FusionBench takes the whole vector's majority.
    """

    density: PositiveShare  # share of entries kept, in (0, 1]
    scale: float  # the paper's lambda
    trim: Literal["model", "tensor"]
    aggregate: Aggregate

    recipe = RecipeFormat(normalize=True, defaults={"density": 1.0, "trim": "tensor"})

    def prepare_model(self, groups: Iterable[TensorGroup]) -> tuple[MagnitudeThreshold, ...] | None:
        """Compute each expert's threshold over its whole task vector; None if each tensor is trimmed by itself."""
        if self.trim == "tensor":
            return None
        thresholds = nth_smallest(
            groups,
            values=lambda group: (vector.abs_() for vector in task_vectors(group)),
            ranks=lambda size: (size - max(1, round(self.density * size)) + 1,),
        )
        return tuple(MagnitudeThreshold(least) for (least,) in thresholds)

    def prepare_tensor(
        self, group: TensorGroup, *, state: tuple[MagnitudeThreshold, ...] | None
    ) -> tuple[MagnitudeThreshold, ...]:
        """Return each expert's threshold in that tensor."""
        if state is not None:
            return state
        size = group.parent.numel()
        number = size - max(1, int(self.density * size)) if size else 0
        return tuple(MagnitudeThreshold.with_below(vector.abs_(), number=number) for vector in task_vectors(group))
