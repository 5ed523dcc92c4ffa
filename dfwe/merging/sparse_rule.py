"""What rules share that thin the task vectors: how they were thinned is their own, what is made of them is here."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from dfwe.merging.base import Piece, Rule, Traits, weighted_sum
from dfwe.merging.election import AGGREGATES, Aggregate, elect
from dfwe.merging.recipe_rule import TaskVectorRule
from dfwe.merging.sparsify import Selection, one_of, sparse_vectors
from dfwe.values.allowed import PositiveShare


class SparseSum(Rule, TaskVectorRule):
    """theta = theta_0 + scale * sum_i alpha_i t_i for thinned task vectors t_i; `examine` says what is left of them."""

    density: PositiveShare
    scale: float

    @property
    def traits(self) -> Traits:
        """With nothing dropped it is task arithmetic; where entries are drawn, the draws are kept: one function."""
        whole = self.density == self.scale == 1.0
        return Traits(parent=True, elementwise=True, vertices=whole, linear=True, late=("scale",))

    def tensor(
        self, piece: Piece, *, coefficients: Sequence[float], found: tuple[Selection, ...]
    ) -> Float[Tensor, "*shape"]:
        """The sum of one block's sparse task vectors."""
        sparse = sparse_vectors(piece, kept=found)
        return weighted_sum(sparse, [self.scale * coefficient for coefficient in coefficients]).add_(piece.base)


class SparseElection(Rule, TaskVectorRule):
    """theta = theta_0 + scale * tau; tau merges thinned task vectors by election (see `elect`)."""

    density: PositiveShare
    scale: float
    aggregate: Aggregate

    @property
    def traits(self) -> Traits:
        """Thinning makes a vertex another model than its expert, and so do sum and max, which weigh with n alpha_i."""
        whole = self.density == self.scale == 1.0 and self.aggregate == "mean"
        return Traits(parent=True, elementwise=True, vertices=whole, late=("scale",))

    def check_aggregate(self, *, rule: str) -> None:
        """MergeError for an aggregate that is not known."""
        one_of(self.aggregate, name="aggregate", known=AGGREGATES, rule=rule)

    def tensor(
        self, piece: Piece, *, coefficients: Sequence[float], found: tuple[Selection, ...]
    ) -> Float[Tensor, "*shape"]:
        """Election and aggregate of one block."""
        merged = elect(sparse_vectors(piece, kept=found), coefficients=coefficients, aggregate=self.aggregate)
        return merged.mul_(self.scale).add_(piece.base)
