"""What a metric is: a row of counts for each example, and a function of the (weighted) sum of rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from dfwe.errors import MetricError


class Metric(ABC):
    """A score in [0, 1], higher is better, that depends on the examples through the sum of their rows alone.

    That is what makes bootstrap one matrix product: `value(weights @ counts)` scores every resample at once.
    """

    @property
    @abstractmethod
    def num_counts(self) -> int:
        """Length of an example's row."""

    @abstractmethod
    def counts(
        self, predictions: Sequence[str], *, references: Sequence[Sequence[str]]
    ) -> Float[np.ndarray, "examples counts"]:
        """One row for each example.

        Raises:
            MetricError: predictions and references that do not pair up, or a reference that cannot be scored.
        """

    @abstractmethod
    def best_counts(self, references: Sequence[Sequence[str]]) -> Float[np.ndarray, "examples counts"] | None:
        """Rows that no answers' rows can beat: with them in place of any examples' own the value is no lower.

        That holds whatever the other rows are, so that a search can give a candidate up before it has answered all. No
        answer need have such a row. None for a metric that knows none.

        Raises:
            MetricError: a reference that cannot be scored.
        """

    @abstractmethod
    def value(self, totals: Float[np.ndarray, "*batch counts"]) -> Float[np.ndarray, "*batch"]:
        """The metric of summed rows, vectorised over leading axes; 0 where it is undefined."""

    def is_defined(self, totals: Float[np.ndarray, " counts"]) -> bool:
        """Whether the value of these summed rows is the metric's own, and no 0 in place of one; most always are."""
        return True

    def rare(self, totals: Float[np.ndarray, " counts"]) -> tuple[str, ...]:
        """The classes that count as much as others and are too rare for an interval of the value to be trusted."""
        return ()

    def right(self, counts: Float[np.ndarray, "examples counts"]) -> Bool[np.ndarray, " examples"] | None:
        """Which answers are right, where the value is the share of those; None for a metric of another kind."""
        return None


def check_pairs(predictions: Sequence[str], *, references: Sequence[Sequence[str]]) -> None:
    """Raises MetricError unless every prediction has at least one reference."""
    if len(predictions) != len(references):
        raise MetricError(
            f"every prediction needs its references: found {len(predictions)} predictions "
            f"and {len(references)} lists of references"
        )
    for number, alternatives in enumerate(references, start=1):
        if not alternatives:
            raise MetricError(f"example {number} has no reference: give at least one, or leave the example out")


def check_some(predictions: Sequence[str], *, metric: str) -> None:
    """Raises MetricError where there is nothing to score: the reference implementation crashes there."""
    if not predictions:
        raise MetricError(f"{metric} of no examples is undefined: give at least one example")


def gold_answers(references: Sequence[Sequence[str]]) -> list[str]:
    """The first reference of each example, empty where it has none (which `check_pairs` refuses)."""
    return [next(iter(alternatives), "") for alternatives in references]


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> Float[np.ndarray, "*shape"]:
    """The quotient, element by element, and 0 where the denominator is 0; always an array, of no axes too."""
    above, below = np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    return np.asarray(np.divide(above, below, out=np.zeros(above.shape), where=below > 0))
