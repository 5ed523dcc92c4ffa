"""Dev examples that a search sees, and those held out to check its result."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from dfwe.errors import SearchError
from dfwe.metrics.statistics import Score
from dfwe.records import Evaluation, Trial
from dfwe.values.allowed import OpenShare, Pair

ExampleMask = Bool[np.ndarray, " examples"]


class DevHoldout(ABC):
    """Hold some of dev out from a search, so that its luck with the rest shows. Not in the DFWE paper."""

    @property
    @abstractmethod
    def num_searches(self) -> int:
        """Number of searches, each with examples of its own."""

    @abstractmethod
    def masks(self, strata: Sequence[str], *, seed: int) -> tuple[ExampleMask, ...]:
        """Return the examples that each search sees, strata (such as gold labels) in shares as equal as possible.

        Raises:
            SearchError: dev is too small.
        """


@dataclass(frozen=True)
class HoldoutSplit(DevHoldout):
    """Run one search, which does not see a `share` of dev."""

    share: OpenShare

    @property
    def num_searches(self) -> int:
        """One."""
        return 1

    def masks(self, strata: Sequence[str], *, seed: int) -> tuple[ExampleMask, ...]:
        """Hold out every (1 / share)-th example of a shuffled deal."""
        numbers = _deal(strata, seed=seed)
        held_out = np.floor((numbers + 1) * self.share) > np.floor(numbers * self.share)
        if not held_out.any() or held_out.all():
            raise SearchError(f"a share of {self.share} cannot be held out of {len(strata)} dev examples")
        return (~held_out,)


@dataclass(frozen=True)
class KFold(DevHoldout):
    """Run as many searches as folds, each of which sees all of dev but its fold: cross-validation (Stone 1974)."""

    number: Pair

    @property
    def num_searches(self) -> int:
        """One per fold."""
        return self.number

    def masks(self, strata: Sequence[str], *, seed: int) -> tuple[ExampleMask, ...]:
        """Hold out the k-th hand of a shuffled deal, for each k."""
        if len(strata) < self.number:
            raise SearchError(f"{len(strata)} dev examples are too few for {self.number} folds")
        hands = _deal(strata, seed=seed) % self.number
        return tuple(hands != fold for fold in range(self.number))


@dataclass(frozen=True, eq=False)
class ExampleSubset:
    """Some of the dev examples; `score` turns summed counts into scores."""

    mask: ExampleMask
    score: Score

    @property
    def complement(self) -> ExampleSubset:
        """The other examples."""
        return ExampleSubset(~self.mask, self.score)

    def restrict(self, trial: Trial) -> Trial:
        """Return the trial as if dev had these examples alone."""
        evaluation, counts = trial.evaluation, self.counts(trial)
        score = float(self.score(counts.sum(axis=0)))
        predictions = tuple(answer for answer, is_in in zip(evaluation.predictions, self.mask, strict=True) if is_in)
        labels = None if evaluation.label_scores is None else evaluation.label_scores[self.mask]
        restricted = Evaluation(score, {"score": score}, predictions, counts, labels)
        return Trial(trial.number, trial.kind, trial.coefficients, restricted, seconds=trial.seconds)

    def counts(self, trial: Trial) -> Float[np.ndarray, "subset counts"]:
        """Return the trial's counts of these examples."""
        return np.asarray(trial.evaluation.counts[self.mask])


def _deal(strata: Sequence[str], *, seed: int) -> Int[np.ndarray, " examples"]:
    """Return when each example is dealt: stratum by stratum, in each at random, from a random one on.

    Systematic sampling with a random start (Madow and Madow 1944): every k-th example has its share of each stratum.
    """
    generator = np.random.default_rng(seed)
    ranks = {name: rank for rank, name in enumerate(sorted(set(strata)))}
    order = np.lexsort((generator.random(len(strata)), np.array([ranks[name] for name in strata])))
    numbers = np.empty(len(strata), dtype=np.int64)
    numbers[np.roll(order, generator.integers(max(1, len(strata))))] = np.arange(len(strata))
    return numbers
