"""How high a score can still become while answers come in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from dfwe.errors import MetricError
from dfwe.metrics.scorer import Scorer


class Bound:
    """The highest score that any answers to the examples not answered yet could give.

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
        """The bound, in [0, 1]; the score itself, but for rounding, once all examples are answered."""
        return float(self._scorer.score(self._totals))

    def take(self, answers: Sequence[str], *, examples: Sequence[int]) -> None:
        """Count the answers to these examples, each of which is answered once."""
        rows = self._scorer.counts(answers, references=[self._references[index] for index in examples])
        self._totals = self._totals + (rows - self._best[list(examples)]).sum(axis=0)

    def losses(
        self, counts: Float[np.ndarray, "examples counts"], *, groups: Sequence[Sequence[int]]
    ) -> Float[np.ndarray, " groups"]:
        """By how much each group's rows of another evaluation, alone, would lower the bound."""
        lost = self._best - counts
        totals = np.stack([self._totals - lost[list(group)].sum(axis=0) for group in groups])
        return self.value - self._scorer.score(totals)
