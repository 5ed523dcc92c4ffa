"""A model's test score and its difference to another's, with how sure both are."""

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
    """The scores, and `interval`, the 95 % bootstrap interval of the score over instances; none of an undefined one."""
    if evaluation.undefined:
        return evaluation.scores
    weights = _weights(len(evaluation.counts), seed=seed)
    scores = resampled_scores(evaluation.counts, score=scorer.score, weights=weights)
    return {**evaluation.scores, "interval": list(interval(scores))}


def delta(evaluation: Evaluation, *, baseline: Evaluation, scorer: AnyMetrics, seed: int) -> dict[str, Any]:
    """The score minus that of another model on the same instances, a fraction, and what the difference is worth.

    `delta_standard_error` and `delta_interval` (95 %) are the paired bootstrap's. `p` is two-sided, `p_by` says whose:
    McNemar's where the score is the share of right answers, the bootstrap's for any other. None of undefined scores.
    """
    if evaluation.undefined or baseline.undefined:
        return {}
    weights = _weights(len(evaluation.counts), seed=seed)
    ours, theirs = (
        resampled_scores(each.counts, score=scorer.score, weights=weights) for each in (evaluation, baseline)
    )
    right = [scorer.right(each.counts) for each in (evaluation, baseline)]
    exact = None if right[0] is None or right[1] is None else mcnemar(right[0], right[1])
    return compared(evaluation.score - baseline.score, resampled=ours - theirs, exact=exact)


def optimism(dev: float | None, test: float | None) -> dict[str, float]:
    """By how much the dev score that a merge was chosen for exceeds its test score; empty where one is undefined."""
    return {} if dev is None or test is None else {"optimism": dev - test}


def compared(
    difference: float, *, resampled: Float[np.ndarray, " resamples"], exact: float | None = None
) -> dict[str, Any]:
    """What `delta` says of a difference, given those of the resamples; `exact` is McNemar's p, where there is one."""
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
