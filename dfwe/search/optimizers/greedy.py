"""Greedy soup: experts join the average as long as they do not lower its score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from dfwe.errors import SearchError
from dfwe.records import Coefficients, Trial
from dfwe.search.base import Search
from dfwe.search.space import Space
from dfwe.values.allowed import Count


class Greedy(Search):
    """Build a greedy soup, recipe 1 of Wortsman et al. (2022, arXiv:2203.05482), with any merge method's coefficients.

    Experts come in the order of their own dev scores, the best first (of equal ones the first named). Each joins the
    uniform average, of 1/k each, if that scores at least as much as without it (with `strict`: more; "Cuts and
    Stitches", Figure 2). All groups have the same experts, settings stay at their start. The paper scores on held-out
    data: here that is dev, by which experts were ranked, too. It uses no randomness.

    Raises:
        SearchError: coefficients have a range without 0 or 1, or, in `initialize`, an expert has no trial.
    """

    has_final_candidate = True

    def __init__(self, space: Space, *, seed: int, budget: Count, strict: bool = False) -> None:
        box = space.box
        if box is not None and not (box.low <= 0.0 and box.high >= 1.0):
            raise SearchError(
                f"a greedy soup needs coefficients from 0 to 1, but merge.coefficients go from {box.low} to {box.high}"
            )
        self._space, self._strict = space, strict
        # one evaluation per expert, less the best one's own score, and the start
        self.budget = min(budget, len(space.experts) + (not space.vertices))
        self._soup: tuple[str, ...] = ()
        self._loss = np.inf
        self._remaining: list[str] = []

    def initialize(self, initial_trials: Sequence[Trial]) -> None:
        """Sort the experts; the best one begins the soup if its vertex is that expert."""
        scores = {
            name: trial.evaluation.score
            for name in self._space.experts
            for trial in initial_trials
            if trial.coefficients == self._space.vertex(name)
        }
        missing = [name for name in self._space.experts if name not in scores]
        if missing:
            raise SearchError(
                f"a greedy soup needs each expert's own dev score, but {', '.join(missing)} have none: pass their "
                "trials as `initial_trials`, or set another merge.search"
            )
        self._remaining = sorted(scores, key=lambda name: -scores[name])  # stable
        if self._space.vertices:
            first = self._remaining.pop(0)
            self._join(first, loss=-scores[first], candidate=self._space.vertex(first))

    def ask(self) -> Float[np.ndarray, " dimensions"] | None:
        """Return the average with the next expert; None once each was tried."""
        if not self._remaining:
            return None
        return self._space.point(self._average((*self._soup, self._remaining[0])))

    def tell(self, point: Float[np.ndarray, " dimensions"], *, loss: float) -> None:
        """Let the expert join unless it raised the loss."""
        name = self._remaining.pop(0)
        if loss < self._loss or (loss == self._loss and not self._strict):
            self._join(name, loss=loss, candidate=self._space.at(point))

    def _join(self, name: str, *, loss: float, candidate: Coefficients) -> None:
        self._soup, self._loss, self.final_candidate = (*self._soup, name), loss, candidate

    def _average(self, soup: tuple[str, ...]) -> Coefficients:
        row = [1.0 / len(soup) if name in soup else 0.0 for name in self._space.experts]
        return self._space.candidate(np.array([row] * len(self._space.groups)))
