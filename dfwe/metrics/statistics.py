"""Uncertainty of scores and their differences: bootstrap, McNemar's test, Holm's correction.

A score is a function of the sum of the examples' rows (`Evaluation.counts`), so that resamples are scored by a matrix
product. Examples of one dialogue are alike, so that whole dialogues are drawn (the cluster bootstrap: Davison and
Hinkley 1997, 3.8); where each example stands alone, that draws examples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from dfwe.metrics.scorer import MeanOfScorers, Scorer
from dfwe.records import Evaluation, ExampleRows, Rows, Totals
from dfwe.seeding import derive

Score = Callable[[Totals], Float[np.ndarray, "*batch"]]
Key = TypeVar("Key")

LEVEL = 0.95  # of every interval
RESAMPLES = 1000  # changes no score
_BLOCK = 100  # resamples that are held as float64 at a time
AnyMetrics = Scorer | MeanOfScorers


def with_interval(evaluation: Evaluation, *, scorer: AnyMetrics, seed: int) -> dict[str, Any]:
    """Return the scores and `interval`, the 95 % bootstrap interval; without it if undefined, or of one dialogue."""
    if evaluation.undefined or num_clusters(evaluation) == 1:
        return evaluation.scores
    scores = bootstrap(evaluation, scorer=scorer, seed=seed)
    return {**evaluation.scores, "interval": list(interval(scores))}


def delta(evaluation: Evaluation, *, baseline: Evaluation, scorer: AnyMetrics, seed: int) -> dict[str, Any]:
    """Compare the score with that of another model on the same instances, as a fraction.

    `delta_standard_error` and `delta_interval` (95 %) come from the paired bootstrap. `p` is two-sided; `p_by` names
    its test: McNemar's if the score is the fraction of correct answers, each of a dialogue of its own, else the
    bootstrap, of which p is at least that of a sign test of so many dialogues. Undefined scores have none, and of one
    dialogue there is no error and no interval.
    """
    if evaluation.undefined or baseline.undefined:
        return {}
    ours, theirs = (bootstrap(model, scorer=scorer, seed=seed) for model in (evaluation, baseline))
    difference, exact = evaluation.score - baseline.score, exact_p(evaluation, baseline, scorer=scorer)
    return summarize_difference(difference, resampled=ours - theirs, exact=exact, num=num_clusters(evaluation))


def num_clusters(evaluation: Evaluation) -> int:
    """Return the number of dialogues, or of examples that stand alone."""
    return len(set(evaluation.clusters)) or len(evaluation.counts)


def exact_p(evaluation: Evaluation, baseline: Evaluation, *, scorer: AnyMetrics) -> float | None:
    """Return McNemar's p; None if the score is no fraction of correct answers, or examples share dialogues."""
    if num_clusters(evaluation) < len(evaluation.counts):
        return None
    ours, theirs = (scorer.is_correct(model.counts) for model in (evaluation, baseline))
    return None if ours is None or theirs is None else mcnemar(ours, theirs)


def optimism(dev: float | None, test: float | None) -> dict[str, float]:
    """Return the difference of the dev score of a selected merge to its test score, empty if one is undefined."""
    return {} if dev is None or test is None else {"optimism": dev - test}


def summarize_difference(
    difference: float, *, resampled: Float[np.ndarray, " resamples"], num: int, exact: float | None = None
) -> dict[str, Any]:
    """Summarize a difference, given those of the resamples of `num` clusters; `exact` is McNemar's p if it has one."""
    return {
        "delta": difference,
        "delta_standard_error": float(np.std(resampled)) if num > 1 else None,
        "delta_interval": list(interval(resampled)) if num > 1 else None,
        "p": max(two_sided_p(resampled), 2.0 ** (1 - num)) if exact is None else exact,
        "p_by": "bootstrap" if exact is None else "mcnemar",
    }


@dataclass(frozen=True, eq=False)
class Resamples:
    """How often each cluster occurs in each resample: a byte holds it, for none occurs 256 times."""

    frequencies: UInt8[np.ndarray, "resamples clusters"]
    cluster_of: Int[np.ndarray, " examples"]

    @classmethod
    @lru_cache(maxsize=1)  # all models of a study are resampled alike
    def draw(cls, clusters: tuple[str, ...], *, seed: int) -> Resamples:
        """Draw as many clusters as there are, of the examples' clusters in the order of their first."""
        numbers: dict[str, int] = {}
        places = np.array([numbers.setdefault(cluster, len(numbers)) for cluster in clusters])
        generator = np.random.default_rng(derive(seed, "delta"))
        blocks = [
            resampling_weights(len(numbers), resamples=_BLOCK, generator=generator).astype(np.uint8)
            for _ in range(RESAMPLES // _BLOCK)
        ]
        return cls(np.concatenate(blocks), places)

    def scores(self, counts: Rows, *, score: Score) -> Float[np.ndarray, " resamples"]:
        """Return the score of each resample; those of two models are paired."""
        if isinstance(counts, ExampleRows):
            blocks = (block[:, self.cluster_of] @ counts for block in self._blocks())
            return np.asarray(counts.scores_of(self, compute=lambda: np.concatenate([*map(score, blocks)])))
        sums = np.zeros((self.frequencies.shape[1], counts.shape[1]))
        np.add.at(sums, self.cluster_of, counts)
        return np.concatenate([score(block @ sums) for block in self._blocks()])

    def _blocks(self) -> Iterator[Float[np.ndarray, "_resamples clusters"]]:
        for begin in range(0, len(self.frequencies), _BLOCK):
            yield self.frequencies[begin : begin + _BLOCK].astype(np.float64)


def bootstrap(evaluation: Evaluation, *, scorer: AnyMetrics, seed: int) -> Float[np.ndarray, " resamples"]:
    """Return the scores of resamples of the test split, which are the same for all models."""
    clusters = evaluation.clusters or tuple(map(str, range(len(evaluation.counts))))
    return Resamples.draw(clusters, seed=seed).scores(evaluation.counts, score=scorer.score)


def resampling_weights(
    num_examples: int, *, resamples: int, generator: np.random.Generator
) -> Float[np.ndarray, "resamples examples"]:
    """Draw how often each example occurs in each resample."""
    weights = generator.multinomial(num_examples, np.full(num_examples, 1.0 / num_examples), size=resamples)
    return weights.astype(np.float64)


def resampled_scores(
    counts: Rows, *, score: Score, weights: Float[np.ndarray, "resamples examples"]
) -> Float[np.ndarray, " resamples"]:
    """Return the score of each resample; those of two models with the same weights are paired."""
    if isinstance(counts, ExampleRows):
        return np.asarray(counts.scores_of(weights, compute=lambda: score(weights @ counts)))
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
    tail, term = 0, 1  # terms are n over k
    for k in range(min(one, other) + 1):
        tail, term = tail + term, term * (differing - k) // (k + 1)
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
