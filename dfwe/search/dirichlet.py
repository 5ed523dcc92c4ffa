"""Random mixtures, the search to compare others with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from dfwe.records import Trial
from dfwe.search.asked import Asked, checked_race
from dfwe.search.base import Search
from dfwe.search.space import Space


class Dirichlet(Search):
    """Independent draws from the Dirichlet distribution with all concentrations 1: uniform over the simplex.

    What has a box is drawn evenly from it. With `race` a candidate's evaluation may be stopped once it cannot be the
    best: the best is the same. So it is with any number of `asks` at once, so that defaults do no harm.

    Raises:
        SearchError: `race` is neither true nor false, or `asks` is below 1.
    """

    def __init__(self, space: Space, *, seed: int, budget: int, race: bool | str = True, asks: int = 1) -> None:
        self._race = checked_race(race)
        self._budget, self._asks = budget, asks
        generator = np.random.default_rng(seed)
        self._asked = Asked(lambda: space.point(space.draw(generator)), asks=asks)

    @property
    def budget(self) -> int:
        """The number of evaluations."""
        return self._budget

    @property
    def compares_only(self) -> bool:
        """Yes, unless it is not to race: losses teach it nothing."""
        return self._race

    @property
    def asks(self) -> int:
        """As many as it was made for."""
        return self._asks

    def begin(self, known: Sequence[Trial]) -> None:
        """Nothing: draws are independent."""

    def ask(self) -> Float[np.ndarray, " dimensions"] | None:
        """A new draw, or the oldest pending one."""
        return self._asked.ask()

    def tell(self, point: Float[np.ndarray, " dimensions"], *, loss: float) -> None:
        """Make room for the next draw; losses teach this search nothing."""
        self._asked.tell(point)

    def close(self) -> None:
        """Nothing runs."""
