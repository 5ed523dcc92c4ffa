"""A model's test score minus the baseline's, with how sure that is."""

from __future__ import annotations

import numpy as np

from dfwe.metrics.mean import MeanOfScorers
from dfwe.metrics.scorer import Scorer
from dfwe.records import Evaluation
from dfwe.search.pick import paired_standard_error
from dfwe.seeding import derive

RESAMPLES = 1000  # for the standard error; changes no score


def delta(
    evaluation: Evaluation, *, baseline: Evaluation, scorer: Scorer | MeanOfScorers, seed: int
) -> dict[str, float]:
    """`delta`, a fraction, and `delta_standard_error`, paired bootstrap over instances; none of undefined scores."""
    if evaluation.undefined or baseline.undefined:
        return {}
    error = paired_standard_error(
        evaluation,
        baseline,
        score=scorer.score,
        resamples=RESAMPLES,
        generator=np.random.default_rng(derive(seed, "delta")),
    )
    return {"delta": evaluation.score - baseline.score, "delta_standard_error": error}
