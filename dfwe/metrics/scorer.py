"""Scores of a task, the mean of its metrics, and of several tasks; upper bounds of scores while answers come in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from dfwe.errors import MetricError
from dfwe.metrics.base import Counts, Metric, References
from dfwe.metrics.function import FunctionMetric
from dfwe.records import Evaluation, ExampleRows, Rows, Totals, WeightedRows


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

    def evaluate(self, predictions: Sequence[str], *, references: References) -> Evaluation:
        """Return the answers with metrics and score, fractions in [0, 1], and a row of counts per example.

        A metric that is undefined for these answers is named so, and counts as 0.

        Raises:
            MetricError: lengths that differ, a gold label off the list, a metric that is not finite; and no
                examples, save for the label metrics, which then are 0 as in the reference implementation; and what a
                function of the user's own raises.
        """
        counts = self.rows(predictions, references=references)
        totals = counts.sum(axis=0)
        values = {name: float(value) for name, value in self._values(totals).items()}
        for name, value in values.items():
            if not np.isfinite(value):
                raise MetricError(f"metric {name} is {value}, not a number that can be compared: check its counts")
        score = sum(values.values()) / len(values)
        return Evaluation(score, values, tuple(predictions), counts, undefined=self._undefined(totals))

    @property
    def functions(self) -> tuple[FunctionMetric, ...]:
        """Metrics that are the user's own functions."""
        return tuple(metric for metric in self.metrics.values() if isinstance(metric, FunctionMetric))

    def rows(self, predictions: Sequence[str], *, references: References) -> Rows:
        """Return the counts, together with the examples where a metric needs these; raises as the metrics do."""
        counts = self.counts(predictions, references=references)
        if not self.functions:
            return counts
        return ExampleRows(counts, tuple(predictions), tuple(tuple(texts) for texts in references))

    def counts(self, predictions: Sequence[str], *, references: References) -> Counts:
        """Return a row per example, all metrics' side by side; raises as they do."""
        rows = [metric.counts(predictions, references=references) for metric in self.metrics.values()]
        return np.concatenate(rows, axis=1)

    def best_counts(self, references: References) -> Counts | None:
        """Return rows that no answers can beat (`Metric.best_counts`); None if a metric has none."""
        rows = [metric.best_counts(references) for metric in self.metrics.values()]
        available = [row for row in rows if row is not None]
        return np.concatenate(available, axis=1) if len(available) == len(rows) else None

    def score(self, totals: Totals) -> Float[np.ndarray, "*batch"]:
        """Return the score of summed rows of `Evaluation.counts`, vectorised over leading axes; in [0, 1]."""
        return np.asarray(np.mean(list(self._values(totals).values()), axis=0))

    def example_scores(self, counts: Rows) -> Float[np.ndarray, " examples"]:
        """Return what each answer alone would score; with a function of the user's own, whether it is a reference.

        Of one example such a function may have no value.
        """
        if isinstance(counts, ExampleRows):
            pairs = zip(counts.predictions, counts.references, strict=True)
            return np.array([float(answer in texts) for answer, texts in pairs])
        return self.score(counts)

    def is_correct(self, counts: Rows) -> Bool[np.ndarray, " examples"] | None:
        """Return which answers are correct, if the score is their fraction; None otherwise."""
        metric, *more = self.metrics.values()
        return None if more or isinstance(counts, ExampleRows) else metric.is_correct(counts)

    def rare_classes(self, counts: Rows) -> tuple[str, ...]:
        """Return the classes that are too rare among these examples for intervals of the score to be trusted."""
        parts = _split(_summed(counts.sum(axis=0)), parts=self.metrics)
        names = [name for key, metric in self.metrics.items() for name in metric.rare_classes(parts[key])]
        return tuple(dict.fromkeys(names))

    def _undefined(self, totals: Totals) -> tuple[str, ...]:
        parts = _split(_summed(totals), parts=self.metrics)
        return tuple(name for name, metric in self.metrics.items() if not metric.is_defined(parts[name]))

    def _values(self, totals: Totals) -> dict[str, Float[np.ndarray, "*batch"]]:
        parts = _split(_summed(totals), parts=self.metrics)
        return {
            name: _of_samples(metric, totals) if isinstance(metric, FunctionMetric) else metric.value(parts[name])
            for name, metric in self.metrics.items()
        }


@dataclass(frozen=True)
class MeanOfScorers:
    """Several tasks as one: the examples of all of them, part by part, and the mean of the parts' scores.

    An example's row of counts is 0 in the columns of the other parts, so that the score is a function of the sum of
    rows, as one task's is: bootstrap and bagging resample the examples of all tasks together.
    """

    parts: Mapping[str, Scorer]

    def __post_init__(self) -> None:
        if not self.parts:
            raise MetricError("a mean of tasks' scores needs at least one task")
        if own := [name for name, part in self.parts.items() if part.functions]:
            raise MetricError(
                f"{own[0]} is scored by a function of your own, which the mean of several tasks cannot resample: use "
                "it in a study of one target"
            )

    def joined(self, evaluations: Mapping[str, Evaluation]) -> Evaluation:
        """Join the parts' evaluations in the order of `parts`; metrics are named `part/metric`.

        Undefined metrics stay so; label scores are left out, as the parts' labels differ.
        """
        parts = {name: evaluations[name] for name in self.parts}
        return Evaluation(
            score=sum(part.score for part in parts.values()) / len(parts),
            metrics={
                f"{name}/{metric}": value for name, part in parts.items() for metric, value in part.metrics.items()
            },
            predictions=tuple(answer for part in parts.values() for answer in part.predictions),
            counts=_block_diagonal([_summed(part.counts) for part in parts.values()]),
            undefined=tuple(f"{name}/{metric}" for name, part in parts.items() for metric in part.undefined),
        )

    def score(self, totals: Totals) -> Float[np.ndarray, "*batch"]:
        """Return the mean of the parts' scores of summed rows, vectorised over leading axes; in [0, 1]."""
        totals_by_part = _split(_summed(totals), parts=self.parts)
        return np.asarray(np.mean([part.score(totals_by_part[name]) for name, part in self.parts.items()], axis=0))

    def is_correct(self, counts: Rows) -> None:
        """Return None: a mean of tasks is not a fraction of correct answers."""


def scores_by_task(metrics: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return each task's score from metrics named `task/metric`: the mean of its metrics; None where undefined."""
    values: dict[str, list[float | None]] = {}
    for name, value in metrics.items():
        values.setdefault(name.split("/")[0], []).append(value)
    return {task: mean_if_defined(of_task) for task, of_task in values.items()}


def mean_if_defined(values: Sequence[float | None]) -> float | None:
    """Return the mean; None where a value is undefined."""
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if len(defined) == len(values) else None


class ScoreBound:
    """Highest score that any answers to the remaining examples could still give.

    It starts with the best rows of all examples (`Metric.best_counts`), and an answer puts its own row in place of the
    best one. Only sums are kept: an answer is scored once, and a bound costs no more than a score of totals.

    Raises:
        MetricError: one of the metrics knows no best rows (Pearson's correlation), or a reference cannot be scored.
    """

    def __init__(self, scorer: Scorer, *, references: References) -> None:
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

    def losses(self, counts: Rows, *, groups: Sequence[Sequence[int]]) -> Float[np.ndarray, " groups"]:
        """Return by how much each group's rows of another evaluation, on their own, would lower the bound."""
        lost = self._best - _summed(counts)
        totals = np.stack([self._totals - lost[list(group)].sum(axis=0) for group in groups])
        return self.value - self._scorer.score(totals)


def _summed(totals: Totals | Rows) -> Float[np.ndarray, "*batch counts"]:
    """Return the numbers alone."""
    if isinstance(totals, WeightedRows):
        return totals.totals
    return totals.numbers if isinstance(totals, ExampleRows) else totals


def _of_samples(metric: FunctionMetric, totals: Totals) -> Float[np.ndarray, "*batch"]:
    """Return the function's value of each sample, one call each; 0 of a sample without examples."""
    assert isinstance(totals, WeightedRows), "a function needs the examples"
    values = [metric.of(answers, references=texts) if answers else 0.0 for answers, texts in totals.samples()]
    return np.array(values, dtype=np.float64).reshape(totals.shape)


def _block_diagonal(blocks: Sequence[Float[np.ndarray, "_examples _counts"]]) -> Counts:
    """Return a matrix with the blocks down the diagonal, 0 elsewhere."""
    whole = np.zeros((sum(len(block) for block in blocks), sum(block.shape[1] for block in blocks)))
    row = column = 0
    for block in blocks:
        whole[row : row + len(block), column : column + block.shape[1]] = block
        row, column = row + len(block), column + block.shape[1]
    return whole


def _split(
    totals: Float[np.ndarray, "*batch counts"], *, parts: Mapping[str, Metric | Scorer]
) -> dict[str, Float[np.ndarray, "*batch _"]]:
    """Split summed rows into those of each part."""
    ends = np.cumsum([part.num_counts for part in parts.values()])
    return dict(zip(parts, np.split(totals, ends[:-1], axis=-1), strict=True))
