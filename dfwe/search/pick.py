"""Which candidate of a search to keep."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dfwe.errors import SearchError
from dfwe.records import Coefficients, Evaluation, Trial
from dfwe.search.journal import Journal
from dfwe.search.measure import Listener, Measure
from dfwe.search.simplex import distance_from_uniform

log = logging.getLogger(__name__)

Score = Callable[[Float[np.ndarray, "*batch counts"]], Float[np.ndarray, "*batch"]]

_SAME = 1e-12  # scores this close are one score, summed in another order


class Pick(ABC):
    """A rule that chooses one of a search's trials."""

    @property
    @abstractmethod
    def compares_only(self) -> bool:
        """Whether it takes the best trial, so that a worse one's score does not matter."""

    @abstractmethod
    def choose(
        self,
        trials: Sequence[Trial],
        *,
        evaluate: Callable[[Coefficients], Evaluation],
        score: Score,
        seed: int,
        journal: Journal | None = None,
        on_trial: Listener | None = None,
    ) -> Trial:
        """The trial to keep; a rule that evaluates one more candidate journals it and tells `on_trial`.

        `score` turns summed counts into scores (`Scorer.score`). Raises SearchError where there is no trial.
        """


@dataclass(frozen=True)
class Argmax(Pick):
    """The best dev score, the DFWE paper's rule (equation 2)."""

    @property
    def compares_only(self) -> bool:
        """Yes."""
        return True

    def choose(
        self,
        trials: Sequence[Trial],
        *,
        evaluate: Callable[[Coefficients], Evaluation],
        score: Score,
        seed: int,
        journal: Journal | None = None,
        on_trial: Listener | None = None,
    ) -> Trial:
        """The best trial, as `argmax` finds it; nothing is evaluated."""
        return argmax(trials)


@dataclass(frozen=True)
class Uniform(Pick):
    """The uniform mixture, whatever it scores: the merge that every search is compared with."""

    @property
    def compares_only(self) -> bool:
        """No: the uniform mixture need not be the best."""
        return False

    def choose(
        self,
        trials: Sequence[Trial],
        *,
        evaluate: Callable[[Coefficients], Evaluation],
        score: Score,
        seed: int,
        journal: Journal | None = None,
        on_trial: Listener | None = None,
    ) -> Trial:
        """The trial of that kind; nothing is evaluated."""
        uniform = next((trial for trial in trials if trial.kind == "uniform"), None)
        if uniform is None:
            raise SearchError("the search did not evaluate the uniform mixture: it needs a budget of at least 1")
        return uniform


@dataclass(frozen=True)
class Bagged(Pick):
    """The average of what bootstrap resamples of dev would choose, where it does not score clearly worse.

    The best dev score of a search overstates the truth, by 2 to 4 points at 100 examples in simulation;
    averaging over `resamples` of the examples takes most of the loss back. Not in the DFWE paper.
    """

    resamples: int

    @property
    def compares_only(self) -> bool:
        """No: what is worse on dev is the best on some resamples."""
        return False

    def choose(
        self,
        trials: Sequence[Trial],
        *,
        evaluate: Callable[[Coefficients], Evaluation],
        score: Score,
        seed: int,
        journal: Journal | None = None,
        on_trial: Listener | None = None,
    ) -> Trial:
        """The bagged point, or argmax where the point scores more than one paired standard error below it.

        The point is evaluated once (kind "bagged"), unless a trial has exactly its coefficients.
        """
        generator = np.random.default_rng(seed)
        best = argmax(trials)
        point = bagged(trials, score=score, resamples=self.resamples, generator=generator)
        found = next((trial for trial in trials if trial.coefficients == point), None)
        if found is None:
            number = 1 + max(trial.number for trial in trials)
            found = Measure(evaluate, journal, on_trial).trial(point, number=number, kind="bagged")
        error = paired_standard_error(
            best.evaluation, found.evaluation, score=score, resamples=self.resamples, generator=generator
        )
        loss = best.evaluation.score - found.evaluation.score
        if loss > error + _SAME:
            log.warning(
                "the bagged mixture scores %.4f below the best on dev (standard error %.4f): kept the best",
                loss,
                error,
            )
            return best
        return found


def argmax(trials: Sequence[Trial]) -> Trial:
    """The trial with the best score; of equal ones that nearest to uniform, then the earlier."""
    if not trials:
        raise SearchError("there is no trial to choose from: the search evaluated nothing and no expert is known")
    best = max(trial.evaluation.score for trial in trials)
    tied = [trial for trial in trials if trial.evaluation.score >= best - _SAME]
    return min(tied, key=lambda trial: distance_from_uniform(trial.coefficients))


def bagged(trials: Sequence[Trial], *, score: Score, resamples: int, generator: np.random.Generator) -> Coefficients:
    """The mean, over resamples of the examples with replacement, of each resample's best coefficients.

    Bagging (Breiman 1996) of `argmax`, its rule for ties included. Sharing a resample among the tied ones was
    worse in simulation (100 dev examples, unit-step Nelder-Mead, 150 surfaces, mean regret in points: 0.50
    against 0.40 with the optimum inside, 0.33 against 0.28 on a flat surface, 0.60 against 0.65 near a face).
    """
    if not trials:
        raise SearchError("there is no trial to average: the search evaluated nothing and no expert is known")
    weights = _resampling_weights(len(trials[0].evaluation.counts), resamples=resamples, generator=generator)
    # One candidate at a time: stacking all counts would take candidates x examples x counts numbers.
    scores = np.stack([score(weights @ trial.evaluation.counts) for trial in trials])
    distances = np.array([distance_from_uniform(trial.coefficients) for trial in trials])
    ties = scores >= scores.max(axis=0) - _SAME
    chosen = np.where(ties, distances[:, None], np.inf).argmin(axis=0)
    shares = np.bincount(chosen, minlength=len(trials)) / resamples
    mean = shares @ np.array([trial.coefficients.values for trial in trials])
    return Coefficients(trials[0].coefficients.names, tuple(mean.tolist()))


def paired_standard_error(
    first: Evaluation, second: Evaluation, *, score: Score, resamples: int, generator: np.random.Generator
) -> float:
    """The bootstrap standard error of `first`'s score minus `second`'s, on the same resampled examples."""
    weights = _resampling_weights(len(first.counts), resamples=resamples, generator=generator)
    differences = score(weights @ first.counts) - score(weights @ second.counts)
    return float(np.std(differences))


def _resampling_weights(
    num_examples: int, *, resamples: int, generator: np.random.Generator
) -> Float[np.ndarray, "resamples examples"]:
    """How often each example is drawn in each resample."""
    drawn = generator.multinomial(num_examples, np.full(num_examples, 1.0 / num_examples), size=resamples)
    return drawn.astype(np.float64)
