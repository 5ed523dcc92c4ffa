"""TIES-Merging (Yadav et al., 2023, arXiv:2306.01708): trim, elect sign, disjoint merge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dfwe.merging.base import Piece
from dfwe.merging.election import Aggregate, summed
from dfwe.merging.ranks import nth_smallest
from dfwe.merging.recipe_rule import given
from dfwe.merging.sparse_rule import SparseElection
from dfwe.merging.sparsify import Cut, cut, mergekit_settings, one_of, share_of_entries, task_vectors
from dfwe.values.allowed import PositiveShare


@dataclass(frozen=True)
class Ties(SparseElection):
    """theta = theta_0 + scale * tau; tau merges the trimmed task vectors by election (see `elect`).

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

    def check(self, num_experts: int) -> None:
        """MergeError for a density outside (0, 1], or a variant that is not known."""
        share_of_entries(self.density, rule="ties")
        one_of(self.trim, name="trim", known=("model", "tensor"), rule="ties")
        self.check_aggregate(rule="ties")

    def survey(self, pieces: Iterable[Piece]) -> tuple[Cut, ...] | None:
        """For each expert where its whole task vector is cut; None if each tensor is trimmed by itself."""
        if self.trim == "tensor":
            return None
        found = nth_smallest(
            pieces,
            values=lambda piece: (vector.abs_() for vector in task_vectors(piece)),
            ranks=lambda size: (size - max(1, round(self.density * size)) + 1,),
        )
        return tuple(Cut(least) for (least,) in found)

    def examine(self, piece: Piece, *, survey: tuple[Cut, ...] | None) -> tuple[Cut, ...]:
        """Where each expert's task vector is cut in that tensor."""
        if survey is not None:
            return survey
        size = piece.base.numel()
        num_below = size - max(1, int(self.density * size)) if size else 0
        return tuple(cut(vector.abs_(), num_below=num_below) for vector in task_vectors(piece))

    @classmethod
    def from_recipe(
        cls, weights: Sequence[float | None], parameters: Mapping[str, Any]
    ) -> tuple[Ties, tuple[float, ...]]:
        """See RecipeRule: each tensor is trimmed by itself."""
        settings = mergekit_settings(parameters, normalize=True, rescale=None, rule="ties")
        aggregate, scale = summed(settings, num_experts=len(weights))
        rule = cls(density=settings["density"], scale=scale, trim="tensor", aggregate=aggregate)
        return rule, given(weights, normalise=False, rule="ties")
