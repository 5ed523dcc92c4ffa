"""Test scores of models and their differences, with confidence intervals and p values."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float

from dfwe.metrics.mean import MeanOfScorers
from dfwe.metrics.scorer import Scorer
from dfwe.metrics.statistics import interval, mcnemar, resampled_scores, resampling_weights, two_sided_p
from dfwe.records import Evaluation
from dfwe.seeding import derive

RESAMPLES = 1000  # changes no score
AnyMetrics = Scorer | MeanOfScorers


def with_interval(evaluation: Evaluation, *, scorer: AnyMetrics, seed: int) -> dict[str, Any]:
    """Return the scores and `interval`, the 95 % bootstrap interval over instances, without it if undefined."""
    if evaluation.undefined:
        return evaluation.scores
    weights = _weights(len(evaluation.counts), seed=seed)
    scores = resampled_scores(evaluation.counts, score=scorer.score, weights=weights)
    return {**evaluation.scores, "interval": list(interval(scores))}


def delta(evaluation: Evaluation, *, baseline: Evaluation, scorer: AnyMetrics, seed: int) -> dict[str, Any]:
    """Compare the score with that of another model on the same instances, as a fraction.

    `delta_standard_error` and `delta_interval` (95 %) come from the paired bootstrap. `p` is two-sided; `p_by` names
    its test: McNemar's if the score is the fraction of correct answers, else the bootstrap. Undefined scores have none.
    """
    if evaluation.undefined or baseline.undefined:
        return {}
    weights = _weights(len(evaluation.counts), seed=seed)
    ours, theirs = (
        resampled_scores(model.counts, score=scorer.score, weights=weights) for model in (evaluation, baseline)
    )
    correct = [scorer.is_correct(model.counts) for model in (evaluation, baseline)]
    exact = None if correct[0] is None or correct[1] is None else mcnemar(correct[0], correct[1])
    return summarize_difference(evaluation.score - baseline.score, resampled=ours - theirs, exact=exact)


def optimism(dev: float | None, test: float | None) -> dict[str, float]:
    """Return the difference of the dev score of a selected merge to its test score, empty if one is undefined."""
    return {} if dev is None or test is None else {"optimism": dev - test}


def summarize_difference(
    difference: float, *, resampled: Float[np.ndarray, " resamples"], exact: float | None = None
) -> dict[str, Any]:
    """Summarize a difference, given those of the resamples; `exact` is McNemar's p if there is one."""
    return {
        "delta": difference,
        "delta_standard_error": float(np.std(resampled)),
        "delta_interval": list(interval(resampled)),
        "p": two_sided_p(resampled) if exact is None else exact,
        "p_by": "bootstrap" if exact is None else "mcnemar",
    }


@lru_cache(maxsize=1)  # all models of a study are resampled alike
def _weights(num_examples: int, *, seed: int) -> Float[np.ndarray, "resamples examples"]:
    generator = np.random.default_rng(derive(seed, "delta"))
    return resampling_weights(num_examples, resamples=RESAMPLES, generator=generator)
