"""Selection rules: which candidate of a search to keep."""

from __future__ import annotations

import dataclasses
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Int

from dfwe.errors import SearchError
from dfwe.metrics.statistics import Score, resampled_scores, resampling_weights
from dfwe.records import Coefficients, Evaluation, Trial, TrialKind
from dfwe.search.space import distance
from dfwe.values.allowed import Count, NonNegative, Positive

log = logging.getLogger(__name__)

_TOLERANCE = 1e-12  # scores this close are equal, summed in another order

ResamplingWeights = Float[np.ndarray, "resamples examples"]


@dataclass(frozen=True)
class SelectionContext:
    """Inputs of a selection rule beside the trials.

    `run_trial` evaluates one more candidate, which is journalled and reported as the search's are. `score` turns
    summed counts into scores (`Scorer.score`). `averages` is True if the mean of coefficients gives the mean of their
    models. `final_candidate` is the search's own (`Search.final_candidate`).
    """

    run_trial: Callable[[Coefficients, TrialKind], Trial]
    score: Score
    seed: int
    averages: bool = True
    final_candidate: Coefficients | None = None


class SelectionRule(ABC):
    """Choose one of a search's trials.

    Attributes:
        supports_pruning: True if it returns the best trial, so that a worse one's score does not matter.
    """

    supports_pruning: ClassVar[bool] = False

    def check_search(self, *, has_final_candidate: bool) -> None:  # noqa: B027
        """Raise SearchError for a search that cannot give what the rule chooses."""

    @abstractmethod
    def choose(self, trials: Sequence[Trial], *, context: SelectionContext) -> Trial:
        """Return the trial to keep; raise SearchError if there is no trial."""


class Argmax(SelectionRule):
    """Choose the best dev score, the DFWE paper's rule (equation 2); see `argmax`."""

    supports_pruning = True

    def choose(self, trials: Sequence[Trial], *, context: SelectionContext) -> Trial:
        """Return the best trial; nothing is evaluated."""
        return argmax(trials)


class Uniform(SelectionRule):
    """Choose the uniform merge, whatever it scores: every search is compared with it."""

    def choose(self, trials: Sequence[Trial], *, context: SelectionContext) -> Trial:
        """Return the trial of that kind; nothing is evaluated."""
        uniform = next((trial for trial in trials if trial.kind == "uniform"), None)
        if uniform is None:
            raise SearchError("the search did not evaluate the uniform merge: it needs a budget of at least 1")
        return uniform


class GreedySoup(SelectionRule):
    """Choose the soup that a greedy search ends with, which the start may have beaten."""

    def check_search(self, *, has_final_candidate: bool) -> None:
        """Raise SearchError unless it is a greedy soup."""
        if not has_final_candidate:
            raise SearchError("merge.selection=greedy_soup keeps the result of a greedy soup: set merge/search=greedy")

    def choose(self, trials: Sequence[Trial], *, context: SelectionContext) -> Trial:
        """Return its trial; raise SearchError if the search has none. Nothing is evaluated."""
        trial = next((trial for trial in trials if trial.coefficients == context.final_candidate), None)
        self.check_search(has_final_candidate=trial is not None)
        assert trial is not None
        return trial


class LastTrial(SelectionRule):
    """Choose the search's last trial, whatever it scores: of a random search a random point."""

    def choose(self, trials: Sequence[Trial], *, context: SelectionContext) -> Trial:
        """Return the trial of the highest number; nothing is evaluated."""
        return max(trials, key=lambda trial: trial.number)


@dataclass(frozen=True)
class Bagged(SelectionRule):
    """Average what bootstrap resamples of dev would choose, unless that scores worse than expected.

    The best dev score of a search overstates the truth, by 2 to 4 points at 100 examples in simulation. Averaging over
    `resamples` of the examples recovers most of the loss. Only candidates of the search are averaged: an expert that is
    lucky on dev is far from the truth where all mixtures are alike. Where the mean of coefficients is not the mean of
    models it is the candidate that most resamples choose. Not in the DFWE paper.

    There may be a barrier between distant candidates. So the point is compared with what taking the best is worth
    without its luck: each resample's best candidate on the examples that the resample left out (out of bag, Breiman
    1996), experts included.
    """

    resamples: Count
    margin: NonNegative  # of score, by which the point may fall short of that

    def choose(self, trials: Sequence[Trial], *, context: SelectionContext) -> Trial:
        """Return the bagged point, or argmax if the point scores more than `margin` below what argmax is worth.

        The point is evaluated once (kind "bagged"), unless a trial has exactly its coefficients.
        """
        best = argmax(trials)
        weights = _weights(best, resamples=self.resamples, seed=context.seed)
        mixtures = [trial for trial in trials if trial.kind != "expert"] or trials
        shares = best_shares(mixtures, score=context.score, weights=weights)
        if context.averages:
            values = shares @ np.array([trial.coefficients.values for trial in mixtures])
            point = trial_at(values, trials=mixtures, context=context)
        else:
            point = mixtures[int(shares.argmax())]
        loss = out_of_bag_loss(point, trials, score=context.score, weights=weights)
        if loss > self.margin + _TOLERANCE:
            message = "the bagged mixture scores %.4f on dev, %.4f less than the best (%.4f) is worth without its luck"
            log.warning(f"{message}: kept the best", point.evaluation.score, loss, best.evaluation.score)
            return best
        return point


@dataclass(frozen=True)
class WithinStandardErrors(SelectionRule):
    """Choose the candidate nearest to the start among those within some standard errors of the best.

    With one it is the rule that Breiman et al. (1984) prune trees by; the error is the paired bootstrap's on dev. Not
    in the DFWE paper.
    """

    resamples: Count
    standard_errors: Positive

    def choose(self, trials: Sequence[Trial], *, context: SelectionContext) -> Trial:
        """Return the trial; nothing is evaluated."""
        best, start = argmax(trials), start_of(trials)
        weights = _weights(best, resamples=self.resamples, seed=context.seed)
        top = context.score(weights @ best.evaluation.counts)
        near = [
            trial
            for trial in trials
            if best.evaluation.score - trial.evaluation.score
            <= self.standard_errors * np.std(top - context.score(weights @ trial.evaluation.counts)) + _TOLERANCE
        ]
        return min(near, key=lambda trial: (distance(trial.coefficients, start=start), -trial.evaluation.score))


def argmax(trials: Sequence[Trial]) -> Trial:
    """Return the trial with the best score; of equal ones that nearest to the start (uniform), then the earlier."""
    if not trials:
        raise SearchError("there is no trial to choose from: the search evaluated nothing and there are no experts")
    best = max(trial.evaluation.score for trial in trials)
    tied = [trial for trial in trials if trial.evaluation.score >= best - _TOLERANCE]
    start = start_of(trials)
    return min(tied, key=lambda trial: distance(trial.coefficients, start=start))


def trial_at(values: Float[np.ndarray, " dimensions"], *, trials: Sequence[Trial], context: SelectionContext) -> Trial:
    """Return the trial with these coefficients; run it (kind "bagged") if there is none."""
    point = Coefficients(trials[0].coefficients.names, tuple(values.tolist()))
    trial = next((trial for trial in trials if trial.coefficients == point), None)
    return context.run_trial(point, "bagged") if trial is None else trial


def start_of(trials: Sequence[Trial]) -> Coefficients:
    """Return the start of the search, or the uniform merge if no trial is the start."""
    start = next((trial.coefficients for trial in trials if trial.kind == "uniform"), None)
    return start or Coefficients.uniform(trials[0].coefficients.names)


def best_shares(trials: Sequence[Trial], *, score: Score, weights: ResamplingWeights) -> Float[np.ndarray, " trials"]:
    """Return, for each trial, the share of resamples of the examples in which it is the best.

    Bagging (Breiman 1996) of `argmax`, its rule for ties included: sharing a resample among tied trials was worse in
    simulation.
    """
    return np.bincount(_best(trials, score=score, weights=weights), minlength=len(trials)) / len(weights)


def out_of_bag_loss(trial: Trial, trials: Sequence[Trial], *, score: Score, weights: ResamplingWeights) -> float:
    """Return how much more each resample's best trial scores than `trial` on what the resample left out, on average.

    It is 0 if no resample leaves anything out.
    """
    best = _best(trials, score=score, weights=weights)
    left_out = (weights == 0).astype(np.float64)
    losses = [
        float(score(row @ trials[index].evaluation.counts) - score(row @ trial.evaluation.counts))
        for index, row in zip(best, left_out, strict=True)
        if row.any()
    ]
    return float(np.mean(losses)) if losses else 0.0


class FullPrecisionRescorer:
    """Evaluate trials again without approximations, each once."""

    def __init__(self, evaluate: Callable[[Trial], Evaluation]) -> None:
        self._evaluate = evaluate
        self._exact: list[Trial] = []

    def rescore(self, trial: Trial) -> Trial:
        """Return the trial with its exact evaluation."""
        if any(trial is exact for exact in self._exact):
            return trial
        exact = dataclasses.replace(trial, evaluation=self._evaluate(trial))
        log.info("trial %d scores %.4f, exactly %.4f", trial.number, trial.evaluation.score, exact.evaluation.score)
        self._exact.append(exact)
        return exact

    def rescore_best(self, trials: Sequence[Trial]) -> tuple[Trial, ...]:
        """Return the trials in their order, the best rescored until the best of all is an exact one."""
        rescored = list(trials)
        while True:
            best = argmax(rescored)
            exact = self.rescore(best)
            if exact is best:
                return tuple(rescored)
            rescored = [exact if trial is best else trial for trial in rescored]


def _weights(trial: Trial, *, resamples: int, seed: int) -> ResamplingWeights:
    """Draw resamples of the trial's examples."""
    generator = np.random.default_rng(seed)
    return resampling_weights(len(trial.evaluation.counts), resamples=resamples, generator=generator)


def _best(trials: Sequence[Trial], *, score: Score, weights: ResamplingWeights) -> Int[np.ndarray, " resamples"]:
    """Return the index of each resample's best trial; of equal ones that nearest to the start."""
    # One candidate at a time: stacking all counts would take candidates x examples x counts numbers.
    scores = np.stack([resampled_scores(trial.evaluation.counts, score=score, weights=weights) for trial in trials])
    start = start_of(trials)
    distances = np.array([distance(trial.coefficients, start=start) for trial in trials])
    ties = scores >= scores.max(axis=0) - _TOLERANCE
    best: Int[np.ndarray, " resamples"] = np.where(ties, distances[:, None], np.inf).argmin(axis=0)
    return best
