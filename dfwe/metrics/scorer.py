"""The score of a task: the plain mean of its metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from dfwe.errors import MetricError
from dfwe.metrics.base import Metric
from dfwe.records import Evaluation


@dataclass(frozen=True)
class Scorer:
    """Metrics by the names that the benchmark prints."""

    metrics: Mapping[str, Metric]

    def __post_init__(self) -> None:
        if not self.metrics:
            raise MetricError("a task needs at least one metric: name one in its configuration under `metrics`")

    @property
    def num_counts(self) -> int:
        """Length of an example's row, all metrics' side by side."""
        return sum(metric.num_counts for metric in self.metrics.values())

    def evaluate(self, predictions: Sequence[str], *, references: Sequence[Sequence[str]]) -> Evaluation:
        """The answers with metrics and score, fractions in [0, 1], and one row of counts for each example.

        A metric that is undefined for these answers is named so, and counts as 0.

        Raises:
            MetricError: lengths that differ, a gold label off the list, a metric that is not finite; and no
                examples, save for the label metrics, which then are 0 as in the reference implementation.
        """
        counts = self.counts(predictions, references=references)
        totals = counts.sum(axis=0)
        values = {name: float(value) for name, value in self._values(totals).items()}
        for name, value in values.items():
            if not np.isfinite(value):
                raise MetricError(f"metric {name} is {value}, not a number that can be compared: check its counts")
        score = sum(values.values()) / len(values)
        return Evaluation(score, values, tuple(predictions), counts, undefined=self._undefined(totals))

    def counts(
        self, predictions: Sequence[str], *, references: Sequence[Sequence[str]]
    ) -> Float[np.ndarray, "examples counts"]:
        """One row for each example, all metrics' side by side; raises as they do."""
        rows = [metric.counts(predictions, references=references) for metric in self.metrics.values()]
        return np.concatenate(rows, axis=1)

    def best_counts(self, references: Sequence[Sequence[str]]) -> Float[np.ndarray, "examples counts"] | None:
        """Rows that no answers can beat (`Metric.best_counts`); None where one of the metrics has none."""
        rows = [metric.best_counts(references) for metric in self.metrics.values()]
        known = [each for each in rows if each is not None]
        return np.concatenate(known, axis=1) if len(known) == len(rows) else None

    def score(self, totals: Float[np.ndarray, "*batch counts"]) -> Float[np.ndarray, "*batch"]:
        """The score of summed rows of `Evaluation.counts`, vectorised over leading axes; in [0, 1]."""
        return np.asarray(np.mean(list(self._values(totals).values()), axis=0))

    def right(self, counts: Float[np.ndarray, "examples counts"]) -> Bool[np.ndarray, " examples"] | None:
        """Which answers are right, where the score is the share of those; None where it is anything else."""
        metric, *more = self.metrics.values()
        return None if more else metric.right(counts)

    def rare(self, counts: Float[np.ndarray, "examples counts"]) -> tuple[str, ...]:
        """Classes that are too rare among these examples for intervals of the score to be trusted, by their metric."""
        parts = self._parts(counts.sum(axis=0))
        found = [name for key, metric in self.metrics.items() for name in metric.rare(parts[key])]
        return tuple(dict.fromkeys(found))

    def _undefined(self, totals: Float[np.ndarray, " counts"]) -> tuple[str, ...]:
        parts = self._parts(totals)
        return tuple(name for name, metric in self.metrics.items() if not metric.is_defined(parts[name]))

    def _values(self, totals: Float[np.ndarray, "*batch counts"]) -> dict[str, Float[np.ndarray, "*batch"]]:
        parts = self._parts(totals)
        return {name: metric.value(parts[name]) for name, metric in self.metrics.items()}

    def _parts(self, totals: Float[np.ndarray, "*batch counts"]) -> dict[str, Float[np.ndarray, "*batch _"]]:
        """The totals of each metric."""
        ends = np.cumsum([metric.num_counts for metric in self.metrics.values()])
        return dict(zip(self.metrics, np.split(totals, ends[:-1], axis=-1), strict=True))
