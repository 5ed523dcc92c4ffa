"""Processes that evaluate a merge's candidates side by side, as the merge stage sees them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from dfwe.merging.expert_array import ExpertArray
from dfwe.records import Coefficients, Evaluation
from dfwe.search.trial_runner import EvaluateOne, TimedEvaluation


class CandidatePool(ABC):
    """Evaluate candidates in several processes."""

    @abstractmethod
    def share(self, array: ExpertArray) -> ExpertArray:
        """Return the same array, in memory that all processes on this machine read."""

    @abstractmethod
    def evaluate_batch(
        self, candidates: Sequence[Coefficients], best: Evaluation | None, evaluate_one: EvaluateOne, /
    ) -> Iterator[TimedEvaluation]:
        """Evaluate candidates as `dfwe.search.trial_runner.EvaluateBatch` does."""
