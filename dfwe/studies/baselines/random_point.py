"""A random point of the simplex: what a search must beat to have searched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dfwe.stages.merge import MergeStage
from dfwe.studies.baselines.base import Control, Surroundings


@dataclass(frozen=True)
class RandomPoint(Control):
    """The linear mixture at one draw from the Dirichlet distribution; `merge` is a merge's configuration."""

    merge: Mapping[str, Any]

    def subject(self, study: Surroundings) -> MergeStage:
        """The merge that keeps what it drew."""
        return study.workshop.merge(self.merge, experts=study.experts, target=study.target, seed=study.seed)
