"""Metrics: a row of counts per example, and a function of the (weighted) sum of rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from dfwe.errors import MetricError

References = Sequence[Sequence[str]]  # of each example: one gold answer, or several that are all correct
Counts = Float[np.ndarray, "examples counts"]


class Metric(ABC):
    """A score in [0, 1], higher is better, that depends on the examples through the sum of their rows alone.

    That is what makes bootstrap one matrix product: `value(weights @ counts)` scores every resample at once.
    """

    @property
    @abstractmethod
    def num_counts(self) -> int:
        """Length of an example's row."""

    @abstractmethod
    def counts(self, predictions: Sequence[str], *, references: References) -> Counts:
        """Return a row per example.

        Raises:
            MetricError: predictions and references that do not pair up, or a reference that cannot be scored.
        """

    @abstractmethod
    def best_counts(self, references: References) -> Counts | None:
        """Return rows that no answers' rows can beat: in place of any examples' own they never lower the value.

        That holds whatever the other rows are, so that a search can give a candidate up before it has answered all. No
        answer need have such a row. None for a metric that knows none.

        Raises:
            MetricError: a reference that cannot be scored.
        """

    @abstractmethod
    def value(self, totals: Float[np.ndarray, "*batch counts"]) -> Float[np.ndarray, "*batch"]:
        """Compute the metric from summed rows, vectorised over leading axes; 0 where it is undefined."""

    def is_defined(self, totals: Float[np.ndarray, " counts"]) -> bool:
        """Return whether the value of these summed rows is defined; for most metrics it always is."""
        return True

    def rare_classes(self, totals: Float[np.ndarray, " counts"]) -> tuple[str, ...]:
        """Return the classes that are too rare for an interval of the value to be trusted."""
        return ()

    def is_correct(self, counts: Counts) -> Bool[np.ndarray, " examples"] | None:
        """Return which answers are correct, if the value is their fraction; None for other metrics."""
        return None


class MeanMetric(Metric):
    """The mean over examples of a value that each has, at most 1: a row is the value, and 1."""

    num_counts = 2

    def best_counts(self, references: References) -> Counts | None:
        """Return the value 1 of each example."""
        return np.ones((len(references), 2))

    def value(self, totals: Float[np.ndarray, "*batch counts"]) -> Float[np.ndarray, "*batch"]:
        """Return the mean."""
        return ratio(totals[..., 0], totals[..., 1])


def check_pairs(predictions: Sequence[str], *, references: References, metric: str = "") -> None:
    """Raise MetricError unless every prediction has at least one reference.

    No predictions are an error for a `metric` of which the reference implementation crashes then.
    """
    if metric and not predictions:
        raise MetricError(f"{metric} of no examples is undefined: give at least one example")
    if len(predictions) != len(references):
        raise MetricError(
            f"every prediction needs its references: found {len(predictions)} predictions "
            f"and {len(references)} lists of references"
        )
    for number, alternatives in enumerate(references, start=1):
        if not alternatives:
            raise MetricError(f"example {number} has no reference: give at least one, or leave the example out")


def gold_answers(references: References) -> list[str]:
    """Return the first reference of each example, empty if it has none (which `check_pairs` refuses)."""
    return [next(iter(alternatives), "") for alternatives in references]


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> Float[np.ndarray, "*shape"]:
    """Divide element by element, with 0 where the denominator is 0; the result is always an array."""
    above, below = np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    return np.asarray(np.divide(above, below, out=np.zeros(above.shape), where=below > 0))
