"""The greedy soup: experts join the average as long as they do not lower its score."""

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
    """Greedy soup, recipe 1 of Wortsman et al. (2022, arXiv:2203.05482), on any rule's coefficients.

    Experts in the order of their own dev scores, the best first (of equal ones the first named); each joins the uniform
    average, of 1/k each, if that scores at least what the average without it does (with `strict`: more; "Cuts and
    Stitches", Figure 2). Groups have all the same experts,
    settings stay at their start. The paper scores on held-out data: here that is dev, which experts are picked by, too.
    It uses no randomness.

    Raises:
        SearchError: coefficients lie in a box without 0 or 1, or, in `begin`, an expert has no trial.
    """

    def __init__(self, space: Space, *, seed: int, budget: Count, strict: bool = False) -> None:
        box = space.box
        if box is not None and not (box.low <= 0.0 and box.high >= 1.0):
            raise SearchError(
                f"a greedy soup needs coefficients from 0 to 1, but merge.coefficients go from {box.low} to {box.high}"
            )
        self._space, self._strict = space, strict
        self._budget = min(budget, len(space.experts) + (not space.vertices))
        self._soup: tuple[str, ...] = ()
        self._loss = np.inf
        self._next: list[str] = []

    @property
    def budget(self) -> int:
        """The evaluations it needs at most, with the start: one an expert, the best one's own score is known."""
        return self._budget

    @property
    def compares_only(self) -> bool:
        """No: a candidate is compared with the average so far, which the start or an expert may have beaten."""
        return False

    @property
    def asks(self) -> int:
        """One: what joins next depends on what joined."""
        return 1

    @property
    def found(self) -> Coefficients | None:
        """The soup; None before the search has begun."""
        return self._average(self._soup) if self._soup else None

    def begin(self, known: Sequence[Trial]) -> None:
        """Put the experts in order; the first one's score begins the soup where its vertex is that expert."""
        scores = {
            name: trial.evaluation.score
            for name in self._space.experts
            for trial in known
            if trial.coefficients == self._space.vertex(name)
        }
        missing = [name for name in self._space.experts if name not in scores]
        if missing:
            raise SearchError(
                f"a greedy soup needs each expert's own dev score, but {', '.join(missing)} have none: pass their "
                "trials as `known`, or take another merge.search"
            )
        self._next = sorted(scores, key=lambda name: -scores[name])  # stable
        if self._space.vertices:
            self._soup = (self._next.pop(0),)
            self._loss = -scores[self._soup[0]]

    def ask(self) -> Float[np.ndarray, " dimensions"] | None:
        """The average with the next expert; None once each was tried."""
        if not self._next:
            return None
        return self._space.point(self._average((*self._soup, self._next[0])))

    def tell(self, point: Float[np.ndarray, " dimensions"], *, loss: float) -> None:
        """The expert joins unless it raised the loss; a point that was not asked changes nothing."""
        asked = self.ask()
        if asked is None or not np.array_equal(point, asked):
            return
        name = self._next.pop(0)
        if loss < self._loss or (loss == self._loss and not self._strict):
            self._soup, self._loss = (*self._soup, name), loss

    def close(self) -> None:
        """Nothing runs."""

    def _average(self, soup: tuple[str, ...]) -> Coefficients:
        row = [1.0 / len(soup) if name in soup else 0.0 for name in self._space.experts]
        return self._space.candidate(np.array([row] * len(self._space.groups)))
