"""Random mixtures, the search to compare others with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from dfwe.errors import SearchError
from dfwe.records import Trial
from dfwe.search.base import Search
from dfwe.search.space import Space


class Dirichlet(Search):
    """Independent draws from the Dirichlet distribution with all concentrations 1: uniform over the simplex.

    What has a box is drawn evenly from it. With `race` a candidate's
    evaluation may be stopped once it cannot be the best: the best is the same, so that a default does no harm.

    Raises:
        SearchError: `race` is neither true nor false.
    """

    def __init__(self, space: Space, *, seed: int, budget: int, race: bool | str = True) -> None:
        if not isinstance(race, bool):  # a YAML's `off` is a text
            raise SearchError(f"merge.search.race must be true or false, not '{race}'")
        self._space = space
        self._race = race
        self._generator = np.random.default_rng(seed)
        self._budget = budget
        self._pending: Float[np.ndarray, " dimensions"] | None = None

    @property
    def budget(self) -> int:
        """The number of evaluations."""
        return self._budget

    @property
    def compares_only(self) -> bool:
        """Yes, unless it is not to race: losses teach it nothing."""
        return self._race

    def begin(self, known: Sequence[Trial]) -> None:
        """Nothing: draws are independent."""

    def ask(self) -> Float[np.ndarray, " dimensions"]:
        """The pending draw, or a new one."""
        if self._pending is None:
            self._pending = self._space.point(self._space.draw(self._generator))
        return self._pending.copy()

    def tell(self, point: Float[np.ndarray, " dimensions"], *, loss: float) -> None:
        """Make room for the next draw; losses teach this search nothing."""
        self._pending = None

    def close(self) -> None:
        """Nothing runs."""
