"""Hold some of dev out from a search, and check its result on that."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

import numpy as np
from jaxtyping import Bool, Float, Int

from dfwe.errors import SearchError
from dfwe.metrics.statistics import Score
from dfwe.records import Coefficients, Evaluation, Rows, Trial
from dfwe.search.base import Search
from dfwe.search.selection import SelectionContext, SelectionRule, trial_at
from dfwe.search.space import Space
from dfwe.values.allowed import OpenShare, Pair

log = logging.getLogger(__name__)

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

    num_searches = 1

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

    def counts(self, trial: Trial) -> Rows:
        """Return the trial's counts of these examples."""
        return trial.evaluation.counts[self.mask]


class MultiSubsetSearch(Search):
    """Run several searches as one, asked in turn, each told how its points score on its own subset of dev.

    Candidates are evaluated on all of dev, once each, whichever searches ask for them. The budget is shared. Scores of
    the examples that a search does not see are needed, too, so it never prunes.
    """

    def __init__(self, searches: Sequence[Search], *, subsets: Sequence[ExampleSubset], space: Space) -> None:
        self.searches, self.subsets = tuple(searches), tuple(subsets)
        # greedy soups, which are built step by step, are finished; others share a budget
        budgets = [search.budget for search in self.searches]
        self.budget = sum(budgets) if self.searches[0].has_final_candidate else budgets[0]
        self.batch_size = sum(search.batch_size for search in self.searches)
        self.diameters = self.searches[0].diameters if len(self.searches) == 1 else ()
        self._space = space
        self._active = list(range(len(self.searches)))  # searches with points left, the next one first
        self._pending: list[tuple[int, Float[np.ndarray, " dimensions"]]] = []
        self._trials: dict[Coefficients, Trial] = {}
        self._candidates: list[set[Coefficients]] = [set() for _ in self.searches]

    def initialize(self, initial_trials: Sequence[Trial]) -> None:
        """Initialise each search with what the trials score on its subset."""
        self._trials = {trial.coefficients: trial for trial in initial_trials}
        for search, subset in zip(self.searches, self.subsets, strict=True):
            search.initialize([subset.restrict(trial) for trial in initial_trials])

    def observe(self, trial: Trial) -> None:
        """Keep the trial for the searches that asked for it."""
        self._trials[trial.coefficients] = trial

    def ask(self) -> Float[np.ndarray, " dimensions"] | None:
        """Return the next search's next point; None if no search may ask for more."""
        for index in tuple(self._active):
            if sum(asker == index for asker, _ in self._pending) == self.searches[index].batch_size:
                continue
            self._active.remove(index)
            point = self.searches[index].ask()
            if point is not None:
                self._active.append(index)
                self._pending.append((index, point))
                return point.copy()
        return None

    def tell(self, point: Float[np.ndarray, " dimensions"], *, loss: float) -> None:
        """Tell the search that asked for it the loss on its subset; `loss`, that of all of dev, is ignored."""
        position = next(position for position, entry in enumerate(self._pending) if np.array_equal(entry[1], point))
        index, coefficients = self._pending.pop(position)[0], self._space.at(point)
        trial, search = self.subsets[index].restrict(self._trials[coefficients]), self.searches[index]
        if trial.kind == "search" and coefficients not in self._candidates[index]:
            search.observe(trial)
        self._candidates[index].add(coefficients)
        search.tell(point, loss=-trial.evaluation.score)

    def close(self) -> None:
        """Close all searches."""
        for search in self.searches:
            search.close()

    def trials_of(self, index: int, trials: Sequence[Trial]) -> list[Trial]:
        """Return those of the trials that one search was initialised with or asked for."""
        return [trial for trial in trials if trial.kind != "search" or trial.coefficients in self._candidates[index]]


@dataclass(frozen=True)
class HoldoutResult:
    """Scores on the examples that the searches did not see.

    `score` is that of the selected trials, `start` that of the uniform merge. `expert` is that of the best expert on
    what each search saw; None if no expert has a trial.
    """

    examples: int
    score: float
    start: float
    expert: float | None


class HoldoutSelection(SelectionRule):
    """Apply a selection rule to what each search saw, and score its choice on the rest of dev.

    The choice of several searches is the mean of their coefficients, or the most frequent choice if that is not the
    mean of their models. Not in the DFWE paper.
    """

    def __init__(self, rule: SelectionRule, *, search: MultiSubsetSearch) -> None:
        self._rule, self._search = rule, search
        self.result: HoldoutResult | None = None

    def choose(self, trials: Sequence[Trial], *, context: SelectionContext) -> Trial:
        """Return the trial, and set `result`. Errors as of the rule."""
        choices = [self._choose(index, trials, context=context) for index in range(len(self._search.subsets))]
        start = next((trial for trial in trials if trial.kind == "uniform"), choices[0])
        self.result = HoldoutResult(
            sum(int(subset.complement.mask.sum()) for subset in self._search.subsets),
            score=self._score(choices, context=context),
            start=self._score([start] * len(choices), context=context),
            expert=self._score_best_expert(trials, context=context),
        )
        _warn_if_worse(self.result)
        return _combine(choices, trials=trials, context=context)

    def _choose(self, index: int, trials: Sequence[Trial], *, context: SelectionContext) -> Trial:
        """Return what the rule chooses of one search's trials, as that saw them; with its scores on all of dev."""
        subset = self._search.subsets[index]
        originals: dict[Trial, Trial] = {}

        def restrict(trial: Trial) -> Trial:
            view = subset.restrict(trial)
            originals[view] = trial
            return view

        views = [restrict(trial) for trial in self._search.trials_of(index, trials)]
        restricted = replace(
            context,
            run_trial=lambda coefficients, kind: restrict(context.run_trial(coefficients, kind)),
            final_candidate=self._search.searches[index].final_candidate,
        )
        return originals[self._rule.choose(views, context=restricted)]

    def _score_best_expert(self, trials: Sequence[Trial], *, context: SelectionContext) -> float | None:
        """Score the expert that is the best on what each search saw."""
        experts = [trial for trial in trials if trial.kind == "expert"]
        if not experts:
            return None
        best = [
            max(experts, key=lambda expert: subset.restrict(expert).evaluation.score) for subset in self._search.subsets
        ]
        return self._score(best, context=context)

    def _score(self, trials: Sequence[Trial], *, context: SelectionContext) -> float:
        """Score the searches' trials, each on the examples that its search did not see."""
        pairs = zip(self._search.subsets, trials, strict=True)
        counts = [subset.complement.counts(trial).sum(axis=0) for subset, trial in pairs]
        return float(context.score(reduce(add, counts)))


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


def _combine(choices: Sequence[Trial], *, trials: Sequence[Trial], context: SelectionContext) -> Trial:
    """Return the only choice, the trial at their mean, or the most frequent of them (of equals the first)."""
    if len(choices) == 1:
        return choices[0]
    if not context.averages:
        frequent, _ = Counter(trial.coefficients for trial in choices).most_common(1)[0]
        return next(trial for trial in choices if trial.coefficients == frequent)
    mean = np.mean([trial.coefficients.values for trial in choices], axis=0)
    return trial_at(mean, trials=(*trials, *choices), context=context)


def _warn_if_worse(result: HoldoutResult) -> None:
    for name, score in {"the uniform merge": result.start, "the best expert": result.expert}.items():
        if score is not None and score > result.score:
            message = "the merge scores %.4f on the %d dev examples that the search did not see, %s %.4f"
            log.warning(message, result.score, result.examples, name, score)
