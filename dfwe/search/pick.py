"""Which candidate of a search to keep."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dfwe.errors import SearchError
from dfwe.metrics.statistics import Score, resampling_weights
from dfwe.records import Coefficients, Trial, TrialKind
from dfwe.search.best import SAME, argmax, chosen_shares, out_of_bag_loss, start_of
from dfwe.search.space import distance
from dfwe.values.allowed import Count, NonNegative

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Choosing:
    """What a pick may use beside the trials.

    `score` turns summed counts into scores (`Scorer.score`). `averages` says whether the mean of coefficients gives the
    mean of their models. `make` evaluates one more candidate, which is journalled and told as the search's are.
    """

    make: Callable[[Coefficients, TrialKind], Trial]
    score: Score
    seed: int
    averages: bool = True
    found: Coefficients | None = None  # what the search itself ends with (`Search.found`)


class Pick(ABC):
    """A rule that chooses one of a search's trials."""

    @property
    @abstractmethod
    def compares_only(self) -> bool:
        """Whether it takes the best trial, so that a worse one's score does not matter."""

    @abstractmethod
    def choose(self, trials: Sequence[Trial], *, by: Choosing) -> Trial:
        """The trial to keep; SearchError where there is no trial."""


@dataclass(frozen=True)
class Argmax(Pick):
    """The best dev score, the DFWE paper's rule (equation 2)."""

    @property
    def compares_only(self) -> bool:
        """Yes."""
        return True

    def choose(self, trials: Sequence[Trial], *, by: Choosing) -> Trial:
        """The best trial, as `argmax` finds it; nothing is evaluated."""
        return argmax(trials)


@dataclass(frozen=True)
class Uniform(Pick):
    """The uniform merge, whatever it scores: the merge that every search is compared with."""

    @property
    def compares_only(self) -> bool:
        """No: the uniform merge need not be the best."""
        return False

    def choose(self, trials: Sequence[Trial], *, by: Choosing) -> Trial:
        """The trial of that kind; nothing is evaluated."""
        uniform = next((trial for trial in trials if trial.kind == "uniform"), None)
        if uniform is None:
            raise SearchError("the search did not evaluate the uniform merge: it needs a budget of at least 1")
        return uniform


@dataclass(frozen=True)
class Found(Pick):
    """What the search itself ends with: the soup of a greedy one, which the start may have beaten."""

    @property
    def compares_only(self) -> bool:
        """No: the search must know what it ends with."""
        return False

    def choose(self, trials: Sequence[Trial], *, by: Choosing) -> Trial:
        """Its trial; SearchError where the search has no such end. Nothing is evaluated."""
        chosen = next((trial for trial in trials if trial.coefficients == by.found), None)
        if chosen is None:
            raise SearchError("merge.pick=soup keeps what a greedy soup ends with: it needs merge/search=greedy")
        return chosen


@dataclass(frozen=True)
class Last(Pick):
    """The search's last trial, whatever it scores: of a random search a random point."""

    @property
    def compares_only(self) -> bool:
        """No: it need not be the best."""
        return False

    def choose(self, trials: Sequence[Trial], *, by: Choosing) -> Trial:
        """The trial of the highest number; nothing is evaluated."""
        return max(trials, key=lambda trial: trial.number)


@dataclass(frozen=True)
class Bagged(Pick):
    """The average of what bootstrap resamples of dev would choose, where that does not score worse than it should.

    The best dev score of a search overstates the truth, by 2 to 4 points at 100 examples in simulation;
    averaging over `resamples` of the examples takes most of the loss back. Only what the search made is averaged: an
    expert that is lucky on dev is far from the truth where the mixtures are all alike. Where the mean of coefficients
    is not the mean of models it is the candidate that most resamples choose. Not in the DFWE paper.

    Between candidates that lie far apart there may be a barrier. So the point is compared with what taking the best is
    worth without its luck: each resample's best candidate on the examples that the resample left out (out of bag,
    Breiman 1996), experts included.
    """

    resamples: Count
    margin: NonNegative  # of score, by which the point may fall short of that

    @property
    def compares_only(self) -> bool:
        """No: what is worse on dev is the best on some resamples."""
        return False

    def choose(self, trials: Sequence[Trial], *, by: Choosing) -> Trial:
        """The bagged point, or argmax where the point scores more than `margin` below what argmax is worth.

        The point is evaluated once (kind "bagged"), unless a trial has exactly its coefficients.
        """
        best = argmax(trials)
        weights = resampling_weights(
            len(best.evaluation.counts), resamples=self.resamples, generator=np.random.default_rng(by.seed)
        )
        made = [trial for trial in trials if trial.kind != "expert"] or trials
        shares = chosen_shares(made, score=by.score, weights=weights)
        found = self._mean(made, shares, by=by) if by.averages else made[int(shares.argmax())]
        loss = out_of_bag_loss(found, trials, score=by.score, weights=weights)
        if loss > self.margin + SAME:
            log.warning(
                "the bagged mixture scores %.4f on dev, %.4f less than the best (%.4f) is worth without its luck: "
                "kept the best",
                found.evaluation.score,
                loss,
                best.evaluation.score,
            )
            return best
        return found

    def _mean(self, trials: Sequence[Trial], shares: Float[np.ndarray, " trials"], *, by: Choosing) -> Trial:
        mean = shares @ np.array([trial.coefficients.values for trial in trials])
        point = Coefficients(trials[0].coefficients.names, tuple(mean.tolist()))
        found = next((trial for trial in trials if trial.coefficients == point), None)
        return by.make(point, "bagged") if found is None else found


@dataclass(frozen=True)
class OneStandardError(Pick):
    """The candidate nearest to the start among those within one standard error of the best.

    The rule that Breiman et al. (1984) prune trees by; the error is the paired bootstrap's on dev. Not in the DFWE
    paper.
    """

    resamples: Count

    @property
    def compares_only(self) -> bool:
        """No: it may take a worse one."""
        return False

    def choose(self, trials: Sequence[Trial], *, by: Choosing) -> Trial:
        """The trial; nothing is evaluated."""
        best, start = argmax(trials), start_of(trials)
        counts = [trial.evaluation.counts for trial in trials]
        weights = resampling_weights(len(counts[0]), resamples=self.resamples, generator=np.random.default_rng(by.seed))
        top = by.score(weights @ best.evaluation.counts)
        near = [
            trial
            for trial, count in zip(trials, counts, strict=True)
            if best.evaluation.score - trial.evaluation.score <= np.std(top - by.score(weights @ count)) + SAME
        ]
        return min(near, key=lambda trial: (distance(trial.coefficients, start=start), -trial.evaluation.score))
