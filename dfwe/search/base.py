"""What every derivative-free search can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from dfwe.records import Coefficients, Trial


class Search(ABC):
    """A minimiser of a plain function of a vector: ask for a point, tell its loss, and so on.

    Given the same losses a search asks the same points, bit for bit: a killed search goes on by being asked
    and told again what it was asked and told before.
    """

    @property
    @abstractmethod
    def budget(self) -> int:
        """The number of evaluations the search is meant for."""

    @property
    @abstractmethod
    def compares_only(self) -> bool:
        """Whether of a candidate it needs only to know if it beats all before it, the known ones included.

        Then it asks the same points where a worse candidate's loss is only known to be higher than the best one's, and
        the loop may stop a candidate's evaluation as soon as it cannot be the best.
        """

    @property
    @abstractmethod
    def asks(self) -> int:
        """How many points it gives before it must be told of the first: 1 where it learns from each loss in turn."""

    @property
    def found(self) -> Coefficients | None:
        """What the search itself ends with, if that is more than the best of what it asked: a greedy soup."""
        return None

    @property
    def diameters(self) -> Sequence[float]:
        """Of its simplex before each iteration, if it has one: the largest distance of two corners, in logits."""
        return ()

    @abstractmethod
    def begin(self, known: Sequence[Trial]) -> None:
        """What costs nothing, before the first ask: the experts' own trials, and the start's; may be left unused."""

    @abstractmethod
    def ask(self) -> Float[np.ndarray, " dimensions"] | None:
        """The next point to evaluate, any real numbers; None once the search has nothing more to ask.

        With `asks` points untold, it returns the oldest of them again.
        """

    @abstractmethod
    def tell(self, point: Float[np.ndarray, " dimensions"], *, loss: float) -> None:
        """Record the loss of a point; lower is better."""

    @abstractmethod
    def close(self) -> None:
        """End whatever still runs; call it always, the search is of no use afterwards."""


class Hearing(ABC):
    """What learns from all that an evaluation found, not from its score alone."""

    @abstractmethod
    def hear(self, trial: Trial) -> None:
        """A candidate that was evaluated, or found in the journal, before its loss is told; not the start."""
