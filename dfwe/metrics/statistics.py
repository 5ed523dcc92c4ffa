"""Uncertainty of scores: bootstrap over examples, McNemar's test, Holm's correction.

A score is a function of the sum of the examples' rows (`Evaluation.counts`), so that every resample is scored by one
matrix product.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float

Score = Callable[[Float[np.ndarray, "*batch counts"]], Float[np.ndarray, "*batch"]]
Key = TypeVar("Key")

LEVEL = 0.95  # of every interval


def resampling_weights(
    num_examples: int, *, resamples: int, generator: np.random.Generator
) -> Float[np.ndarray, "resamples examples"]:
    """Draw how often each example occurs in each resample."""
    weights = generator.multinomial(num_examples, np.full(num_examples, 1.0 / num_examples), size=resamples)
    return weights.astype(np.float64)


def resampled_scores(
    counts: Float[np.ndarray, "examples counts"], *, score: Score, weights: Float[np.ndarray, "resamples examples"]
) -> Float[np.ndarray, " resamples"]:
    """Return the score of each resample; those of two models with the same weights are paired."""
    return np.asarray(score(weights @ counts))


def interval(values: Float[np.ndarray, " resamples"]) -> tuple[float, float]:
    """Return the percentile interval of resampled values that contains `LEVEL` of them (Efron 1979)."""
    tail = (1.0 - LEVEL) / 2.0
    low, high = np.quantile(values, [tail, 1.0 - tail])
    return float(low), float(high)


def two_sided_p(differences: Float[np.ndarray, " resamples"]) -> float:
    """Return the two-sided p that resampled differences lie on the other side of 0; at least 2 / (B + 1).

    The achieved significance level of the paired bootstrap (Davison and Hinkley 1997, 4.2): (1 + b) / (1 + B) of the
    rarer side, twice.
    """
    rarer = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    return min(1.0, 2.0 * (1 + rarer) / (1 + len(differences)))


def mcnemar(first: Bool[np.ndarray, " examples"], second: Bool[np.ndarray, " examples"]) -> float:
    """Return the exact two-sided p of McNemar's test (1947) that two models are equally often correct.

    Under the null hypothesis each differing example is right for either model with probability 1/2: twice the binomial
    tail, in whole numbers (`scipy.stats.binomtest` rounds otherwise and takes seconds to import).
    """
    one, other = int((first & ~second).sum()), int((second & ~first).sum())
    differing = one + other
    tail = sum(math.comb(differing, k) for k in range(min(one, other) + 1))
    return min(1.0, float(2 * tail / 2**differing))


def holm(p: Mapping[Key, float]) -> dict[Key, float]:
    """Return Holm's (1979) adjusted p values, which control the chance of any false claim among several tests."""
    ordered: Sequence[Key] = sorted(p, key=lambda key: p[key])
    adjusted: dict[Key, float] = {}
    least = 0.0
    for rank, key in enumerate(ordered):
        least = max(least, min(1.0, (len(ordered) - rank) * p[key]))
        adjusted[key] = least
    return {key: adjusted[key] for key in p}
