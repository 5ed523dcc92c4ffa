"""Points that were asked for and have no loss yet, and searches that evaluate a sequence of points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import numpy as np
from jaxtyping import Float

from dfwe.errors import SearchError
from dfwe.search.base import Search
from dfwe.values.allowed import As

Pruning = Annotated[bool | str, As(bool)]  # a YAML's bare `off` may be a text, which is refused
NextPoint = Callable[[], Float[np.ndarray, " dimensions"] | None]


class PendingPoints:
    """Hold up to `batch_size` points of `next_point` (None once there are no more), until each is told.

    Raises:
        SearchError: `batch_size` is below 1.
    """

    def __init__(self, next_point: NextPoint, *, batch_size: int) -> None:
        check_batch_size(batch_size)
        self._next_point = next_point
        self._batch_size = batch_size
        self._pending: list[Float[np.ndarray, " dimensions"]] = []

    def ask(self) -> Float[np.ndarray, " dimensions"] | None:
        """Return a new point, or the oldest pending one of a full batch."""
        if len(self._pending) == self._batch_size:
            return self._pending[0].copy()
        point = self._next_point()
        if point is None:
            return None
        self._pending.append(point)
        return point.copy()

    def tell(self, point: Float[np.ndarray, " dimensions"]) -> None:
        """Make room for another point; one that is not pending changes nothing."""
        for index, pending in enumerate(self._pending):
            if np.array_equal(point, pending):
                del self._pending[index]
                return


class SequenceSearch(Search):
    """Evaluate the points that `next_point` gives, until it gives None; losses change none of them.

    With `pruning` a candidate's evaluation may stop once it cannot be the best. The best one stays the same.

    Raises:
        SearchError: `pruning` is neither true nor false, or `batch_size` is below 1.
    """

    def __init__(self, next_point: NextPoint, *, budget: int, pruning: bool | str, batch_size: int) -> None:
        self.supports_pruning = check_pruning(pruning)
        self.budget, self.batch_size = budget, batch_size
        self._points = PendingPoints(next_point, batch_size=batch_size)

    def ask(self) -> Float[np.ndarray, " dimensions"] | None:
        """Return the next point, or the oldest pending one; None after the last."""
        return self._points.ask()

    def tell(self, point: Float[np.ndarray, " dimensions"], *, loss: float) -> None:
        """Make room for the next point."""
        self._points.tell(point)


def check_batch_size(batch_size: int, *, largest: int | None = None, owner: str = "the search") -> None:
    """Raise SearchError unless the batch size is at least 1 and at most `largest`."""
    if batch_size < 1:
        raise SearchError(f"merge.search.batch_size must be at least 1, not {batch_size}")
    if largest is not None and batch_size > largest:
        raise SearchError(
            f"merge.search.batch_size must be at most {largest}, not {batch_size}: "
            f"{owner} learns from each loss in turn"
        )


def check_pruning(pruning: bool | str) -> bool:
    """Return the setting; raise SearchError if it is neither true nor false, such as a YAML's `off`."""
    if not isinstance(pruning, bool):
        raise SearchError(f"merge.search.pruning must be true or false, not '{pruning}'")
    return pruning
