"""How sure scores are: bootstrap over examples, McNemar's test, Holm's correction.

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
    """How often each example is drawn in each resample."""
    drawn = generator.multinomial(num_examples, np.full(num_examples, 1.0 / num_examples), size=resamples)
    return drawn.astype(np.float64)


def resampled_scores(
    counts: Float[np.ndarray, "examples counts"], *, score: Score, weights: Float[np.ndarray, "resamples examples"]
) -> Float[np.ndarray, " resamples"]:
    """The score of each resample; those of two models on the same weights are paired."""
    return np.asarray(score(weights @ counts))


def interval(values: Float[np.ndarray, " resamples"]) -> tuple[float, float]:
    """The percentile interval of resampled values that holds `LEVEL` of them (Efron 1979)."""
    tail = (1.0 - LEVEL) / 2.0
    low, high = np.quantile(values, [tail, 1.0 - tail])
    return float(low), float(high)


def two_sided_p(differences: Float[np.ndarray, " resamples"]) -> float:
    """How often resampled differences lie on the other side of 0, both sides counted; no less than 2 / (B + 1).

    The achieved significance level of the paired bootstrap (Davison and Hinkley 1997, 4.2): (1 + b) / (1 + B) of the
    rarer side, twice.
    """
    rarer = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    return min(1.0, 2.0 * (1 + rarer) / (1 + len(differences)))


def mcnemar(first: Bool[np.ndarray, " examples"], second: Bool[np.ndarray, " examples"]) -> float:
    """The exact two-sided p of McNemar's test (1947) that two models are right equally often, example by example.

    Under that, an example on which they differ is right for either with probability 1/2: twice the binomial tail.
    """
    one, other = int((first & ~second).sum()), int((second & ~first).sum())
    differing = one + other
    tail = sum(math.comb(differing, k) for k in range(min(one, other) + 1))
    return min(1.0, float(2 * tail / 2**differing))


def holm(p: Mapping[Key, float]) -> dict[Key, float]:
    """Holm's (1979) adjusted p of several tests: each at most alpha keeps the chance of any false claim below alpha."""
    ordered: Sequence[Key] = sorted(p, key=lambda key: p[key])
    adjusted: dict[Key, float] = {}
    least = 0.0
    for rank, key in enumerate(ordered):
        least = max(least, min(1.0, (len(ordered) - rank) * p[key]))
        adjusted[key] = least
    return {key: adjusted[key] for key in p}
