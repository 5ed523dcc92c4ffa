"""A part of dev: trials as they look on some of its examples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from dfwe.metrics.statistics import Score
from dfwe.records import Evaluation, Trial


@dataclass(frozen=True, eq=False)
class Part:
    """Some of the examples; `score` turns summed counts into scores."""

    rows: Bool[np.ndarray, " examples"]
    score: Score

    @property
    def rest(self) -> Part:
        """The other examples."""
        return Part(~self.rows, self.score)

    def of(self, trial: Trial) -> Trial:
        """The trial as if dev had these examples alone."""
        whole = trial.evaluation
        counts = self.counts(trial)
        score = float(self.score(counts.sum(axis=0)))
        predictions = tuple(answer for answer, is_in in zip(whole.predictions, self.rows, strict=True) if is_in)
        labels = None if whole.label_scores is None else whole.label_scores[self.rows]
        evaluation = Evaluation(score, {"score": score}, predictions, counts, labels)
        return Trial(trial.number, trial.kind, trial.coefficients, evaluation, seconds=trial.seconds)

    def counts(self, trial: Trial) -> Float[np.ndarray, "part counts"]:
        """The trial's rows of these examples."""
        return np.asarray(trial.evaluation.counts[self.rows])
