"""Score of a task, the mean of its metrics, and upper bounds of it while answers come in."""

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
        """Return the answers with metrics and score, fractions in [0, 1], and a row of counts per example.

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
        """Return a row per example, all metrics' side by side; raises as they do."""
        rows = [metric.counts(predictions, references=references) for metric in self.metrics.values()]
        return np.concatenate(rows, axis=1)

    def best_counts(self, references: Sequence[Sequence[str]]) -> Float[np.ndarray, "examples counts"] | None:
        """Return rows that no answers can beat (`Metric.best_counts`); None if a metric has none."""
        rows = [metric.best_counts(references) for metric in self.metrics.values()]
        available = [row for row in rows if row is not None]
        return np.concatenate(available, axis=1) if len(available) == len(rows) else None

    def score(self, totals: Float[np.ndarray, "*batch counts"]) -> Float[np.ndarray, "*batch"]:
        """Return the score of summed rows of `Evaluation.counts`, vectorised over leading axes; in [0, 1]."""
        return np.asarray(np.mean(list(self._values(totals).values()), axis=0))

    def is_correct(self, counts: Float[np.ndarray, "examples counts"]) -> Bool[np.ndarray, " examples"] | None:
        """Return which answers are correct, if the score is their fraction; None otherwise."""
        metric, *more = self.metrics.values()
        return None if more else metric.is_correct(counts)

    def rare_classes(self, counts: Float[np.ndarray, "examples counts"]) -> tuple[str, ...]:
        """Return the classes that are too rare among these examples for intervals of the score to be trusted."""
        parts = self._parts(counts.sum(axis=0))
        names = [name for key, metric in self.metrics.items() for name in metric.rare_classes(parts[key])]
        return tuple(dict.fromkeys(names))

    def _undefined(self, totals: Float[np.ndarray, " counts"]) -> tuple[str, ...]:
        parts = self._parts(totals)
        return tuple(name for name, metric in self.metrics.items() if not metric.is_defined(parts[name]))

    def _values(self, totals: Float[np.ndarray, "*batch counts"]) -> dict[str, Float[np.ndarray, "*batch"]]:
        parts = self._parts(totals)
        return {name: metric.value(parts[name]) for name, metric in self.metrics.items()}

    def _parts(self, totals: Float[np.ndarray, "*batch counts"]) -> dict[str, Float[np.ndarray, "*batch _"]]:
        """Split the totals by metric."""
        ends = np.cumsum([metric.num_counts for metric in self.metrics.values()])
        return dict(zip(self.metrics, np.split(totals, ends[:-1], axis=-1), strict=True))


class ScoreBound:
    """Highest score that any answers to the remaining examples could still give.

    It starts with the best rows of all examples (`Metric.best_counts`), and an answer puts its own row in place of the
    best one. Only sums are kept: an answer is scored once, and a bound costs no more than a score of totals.

    Raises:
        MetricError: one of the metrics knows no best rows (Pearson's correlation), or a reference cannot be scored.
    """

    def __init__(self, scorer: Scorer, *, references: Sequence[Sequence[str]]) -> None:
        best = scorer.best_counts(references)
        if best is None:
            raise MetricError(
                f"one of the metrics {', '.join(scorer.metrics)} has no highest score that the answers so far allow: "
                "evaluate all examples"
            )
        self._scorer, self._references, self._best = scorer, references, best
        self._totals = best.sum(axis=0)

    @property
    def value(self) -> float:
        """Upper bound in [0, 1]; apart from rounding the score itself once all examples are answered."""
        return float(self._scorer.score(self._totals))

    def take(self, answers: Sequence[str], *, examples: Sequence[int]) -> None:
        """Count the answers to these examples, each of which is answered once."""
        rows = self._scorer.counts(answers, references=[self._references[index] for index in examples])
        self._totals = self._totals + (rows - self._best[list(examples)]).sum(axis=0)

    def losses(
        self, counts: Float[np.ndarray, "examples counts"], *, groups: Sequence[Sequence[int]]
    ) -> Float[np.ndarray, " groups"]:
        """Return by how much each group's rows of another evaluation, on their own, would lower the bound."""
        lost = self._best - counts
        totals = np.stack([self._totals - lost[list(group)].sum(axis=0) for group in groups])
        return self.value - self._scorer.score(totals)
