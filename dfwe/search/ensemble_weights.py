"""Weights of an ensemble's members, found on dev from label scores that are there: no model runs again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from dfwe.records import Coefficients, Evaluation, Trial
from dfwe.search.base import Search
from dfwe.search.loop import run_search
from dfwe.search.predictor import LabelMixture
from dfwe.search.selection import SelectionContext, SelectionRule
from dfwe.search.space import Space
from dfwe.search.trial_runner import ExtraTrials, TrialRunner
from dfwe.seeding import derive
from dfwe.values.allowed import Count


@dataclass(frozen=True)
class FoundWeights:
    """Hold the weights of an ensemble's members, their dev score, and how many were tried."""

    coefficients: Coefficients
    score: float
    num_tried: int


class EnsembleWeights(ABC):
    """A way to weigh the members of an ensemble."""

    @abstractmethod
    def find(self, mixture: LabelMixture, *, names: Sequence[str], seed: int) -> FoundWeights:
        """Return the weights of the members; `mixture` has their label scores on dev."""


@dataclass(frozen=True)
class SearchedWeights(EnsembleWeights):
    """Search the simplex as a merge does, with the ensemble's dev score in place of the merged model's.

    `make_search` and `selection` are those of a merge. The members are the first trials.
    """

    make_search: Callable[..., Search]
    selection: SelectionRule

    def find(self, mixture: LabelMixture, *, names: Sequence[str], seed: int) -> FoundWeights:
        """Return the selected trial's weights; see EnsembleWeights."""

        def evaluate(coefficients: Coefficients) -> Evaluation:
            return _evaluation(mixture, coefficients.as_array())

        space = Space(tuple(names))
        search = self.make_search(space=space, seed=derive(seed, "search", "ensemble"))
        members = [space.vertex(name) for name in names]
        initial = [Trial(0, "expert", member, evaluate(member)) for member in members]
        runner = TrialRunner(evaluate)
        try:
            every = run_search(search, space=space, runner=runner, initial_trials=initial, budget=search.budget)
            trials = [trial for trial in every if isinstance(trial, Trial)]
            extra = ExtraTrials(runner, last=len(trials))
            context = SelectionContext(
                extra.run,
                score=mixture.score,
                seed=derive(seed, "pick", "ensemble"),
                final_candidate=search.final_candidate,
            )
            best = self.selection.choose(trials, context=context)
        finally:
            search.close()
        return FoundWeights(best.coefficients, best.evaluation.score, len(trials) + len(extra.trials))


@dataclass(frozen=True)
class GreedyWeights(EnsembleWeights):
    """Ensemble selection with replacement (Caruana et al. 2004, section 2).

    Begin with the best member. Add, `steps` times, the member that gives the best dev score of the ensemble, which may
    be in it already. Keep the best ensemble on the way, the smallest of equals. A member's weight is its share.
    """

    steps: Count

    def find(self, mixture: LabelMixture, *, names: Sequence[str], seed: int) -> FoundWeights:
        """Return the members' shares; see EnsembleWeights."""
        counts, tried = np.zeros(len(names)), 0
        best_counts, best_score = counts, -np.inf
        for _ in range(self.steps):
            candidates = counts + np.eye(len(names))
            scores = [_evaluation(mixture, row / row.sum()).score for row in candidates]
            counts, tried = candidates[int(np.argmax(scores))], tried + len(names)
            if max(scores) > best_score:
                best_counts, best_score = counts, max(scores)
        values = tuple(map(float, best_counts / best_counts.sum()))
        return FoundWeights(Coefficients(tuple(names), values), best_score, tried)


def _evaluation(mixture: LabelMixture, weights: Float[np.ndarray, " members"]) -> Evaluation:
    """Return the ensemble's score, and each example's counts."""
    answers: Int[np.ndarray, " examples"] = mixture.answers(mixture.mix(weights[None])[0])
    counts = mixture.counts[np.arange(len(answers)), answers]
    score = float(mixture.score(counts.sum(axis=0)))
    return Evaluation(score, {"score": score}, (), counts)
