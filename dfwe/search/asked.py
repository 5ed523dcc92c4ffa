"""Points that were asked and not told yet, of searches that losses teach nothing or little, and their checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import numpy as np
from jaxtyping import Float

from dfwe.errors import SearchError
from dfwe.values.allowed import As

Race = Annotated[bool | str, As(bool)]  # a YAML's bare `off` may be a text, which is refused


class Asked:
    """Up to `asks` points that `make` gave (None once it has no more), until each is told.

    Raises:
        SearchError: `asks` is below 1.
    """

    def __init__(self, make: Callable[[], Float[np.ndarray, " dimensions"] | None], *, asks: int) -> None:
        check_asks(asks)
        self._make = make
        self._asks = asks
        self._pending: list[Float[np.ndarray, " dimensions"]] = []

    def ask(self) -> Float[np.ndarray, " dimensions"] | None:
        """A new point, or the oldest pending one where there are `asks` of them."""
        if len(self._pending) == self._asks:
            return self._pending[0].copy()
        made = self._make()
        if made is None:
            return None
        self._pending.append(made)
        return made.copy()

    def tell(self, point: Float[np.ndarray, " dimensions"]) -> None:
        """Make room for another point; one that was not asked changes nothing."""
        for place, pending in enumerate(self._pending):
            if np.array_equal(point, pending):
                del self._pending[place]
                return


def check_asks(asks: int, *, most: int | None = None, of: str = "the search") -> None:
    """Raises SearchError unless there is at least one ask at once, and no more than `most`."""
    if asks < 1:
        raise SearchError(f"merge.search.asks must be at least 1, not {asks}")
    if most is not None and asks > most:
        raise SearchError(f"merge.search.asks must be at most {most}, not {asks}: {of} learns from each loss in turn")


def checked_race(race: bool | str) -> bool:
    """Whether to race; SearchError where that is neither true nor false, as a YAML's `off`, which is a text."""
    if not isinstance(race, bool):
        raise SearchError(f"merge.search.race must be true or false, not '{race}'")
    return race
