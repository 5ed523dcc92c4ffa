"""What searches share that losses teach nothing: their points come from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from dfwe.records import Trial
from dfwe.search.asked import Asked, checked_race
from dfwe.search.base import Search


class Sampled(Search):
    """Asks the points that `make` gives, until it gives None.

    With `race` a candidate's evaluation may be stopped once it cannot be the best: the best is the same.

    Raises:
        SearchError: `race` is neither true nor false, or `asks` is below 1.
    """

    def __init__(
        self, make: Callable[[], Float[np.ndarray, " dimensions"] | None], *, budget: int, race: bool | str, asks: int
    ) -> None:
        self._race = checked_race(race)
        self._budget, self._asks = budget, asks
        self._asked = Asked(make, asks=asks)

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
        """Nothing: what is known changes no point."""

    def ask(self) -> Float[np.ndarray, " dimensions"] | None:
        """The next point, or the oldest pending one; None after the last."""
        return self._asked.ask()

    def tell(self, point: Float[np.ndarray, " dimensions"], *, loss: float) -> None:
        """Make room for the next point."""
        self._asked.tell(point)

    def close(self) -> None:
        """Nothing runs."""
