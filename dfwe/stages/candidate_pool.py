"""Other processes that evaluate a merge's candidates, as the merge sees them."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from dfwe.merging.experts import ExpertArray
from dfwe.records import Coefficients, Evaluation
from dfwe.search.measure import Alone, Found
from dfwe.training.weight_search import Candidate

if TYPE_CHECKING:
    from dfwe.stages.merge import MergeStage


class Crew(ABC):
    """What evaluates candidates side by side."""

    @abstractmethod
    def share(self, array: ExpertArray) -> ExpertArray:
        """The same array, in memory that all processes on this machine read."""

    @abstractmethod
    def together(self, asked: Sequence[Coefficients], best: Evaluation | None, alone: Alone, /) -> Iterator[Found]:
        """As `dfwe.search.measure.Together`."""


class Examiner:
    """Evaluates candidates of a merge in another process than its search's, to the bit as that would."""

    def __init__(self, stage: MergeStage, *, array: ExpertArray) -> None:
        model = stage.family.model().to(stage.family.context.device)
        space = stage.space(array)
        self._candidate = Candidate(model, experts=array, rule=stage.rule, by=stage.by, space=space)
        self._scorer = stage.family.scorer(stage.target, split="dev")

    def __call__(self, coefficients: Coefficients, best: Evaluation | None) -> Found:
        """The candidate's evaluation on dev, raced against `best` if there is one."""
        begun = time.perf_counter()
        model: Any = self._candidate.at(coefficients)
        if best is None:
            return Found(self._scorer(model), time.perf_counter() - begun)
        return Found(self._scorer.race(model, best=best), time.perf_counter() - begun)
