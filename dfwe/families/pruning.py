"""An evaluation that is over as soon as it cannot be the best."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dfwe.metrics.scorer import ScoreBound, Scorer
from dfwe.records import Evaluation

_ROUNDING = 1e-9  # far above that of summed counts, far below an answer's worth: a tie is never taken for a loss


class Pruner:
    """A model against the best evaluation so far, on the same instances.

    It is lost when answers that make the most of all instances left would still score less than the best: what is
    stopped then could not have become the best, nor tied with it, so a search that only compares finds the same.
    """

    def __init__(self, scorer: Scorer, *, references: Sequence[Sequence[str]], best: Evaluation) -> None:
        self._bound = ScoreBound(scorer, references=references)
        self._best = best

    @property
    def bound(self) -> float:
        """The highest score that the answers so far allow."""
        return self._bound.value

    def order(self, groups: Sequence[Sequence[int]], *, sizes: Sequence[int]) -> list[int]:
        """Return the places of groups of instances, those first that cost the best most for their size (in any unit).

        What the best gets wrong others get wrong, too: there the bound falls fastest. The order changes when it is
        lost, never whether. It depends on the groups alone, not on the order in which they come.
        """
        losses = self._bound.losses(self._best.counts, groups=groups) / np.asarray(sizes)
        return sorted(range(len(groups)), key=lambda place: (-losses[place], tuple(groups[place])))

    def is_lost(self, instances: Sequence[int], answers: Sequence[str]) -> bool:
        """Return whether it is, after these answers to instances that were not answered before."""
        self._bound.take(answers, examples=instances)
        return self.bound < self._best.score - _ROUNDING
