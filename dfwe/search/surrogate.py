"""A surrogate in front of a search: a cheap prediction proposes the candidates that are evaluated."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from jaxtyping import Float

from dfwe.records import Coefficients, Trial
from dfwe.search.base import Search
from dfwe.search.predictor import LabelMixture, Residuals, ScorePredictor
from dfwe.search.space import Space
from dfwe.values.allowed import Count, Natural, NonNegative, Pair, Positive, Within

log = logging.getLogger(__name__)

_LEAST_WINDOW = 6  # fewer scores have no meaningful rank correlation
_EDGE = 8.0  # logits below the best's highest; further out a step changes nothing
_STEPS = (0.25, 0.5, 1.0)  # near and further, in parts of `spread`
_NUM_LEADERS = 16  # candidates that a round of refinement starts from


class Surrogate(Search):
    """Ask for the most promising candidates, by scores predicted from the label scores of all evaluated ones.

    A candidate promises its predicted score (`ScorePredictor`: `temperature`, `uncertainty_weight`, and of `Residuals`
    `length` and `noise`), plus `exploration` * (its standard deviation): an upper confidence bound. One that would
    answer every example as an evaluated one does promises nothing new, and ranks behind all others.

    The most promising is sought among `pool` candidates drawn uniformly and as many near the best so far (normal steps
    of `spread` logits), then `rounds` times among the leaders and `pool` steps from them, shorter each time. Every
    `control`-th candidate is drawn uniformly instead: among the promising alone there is little to rank.

    It hands over to the search `inner`, for good, once the rank correlation (Spearman's) of predictions, made before
    evaluation, with the scores is below `least_correlation` over the last `window` candidates.

    No prediction is ever told as a score. It never prunes, as it learns from every answer. Not in the DFWE paper.
    """

    def __init__(
        self,
        inner: Search,
        *,
        space: Space,
        mixture: LabelMixture,
        seed: int,
        pool: Count,
        rounds: Natural,
        spread: Positive,
        temperature: Positive,
        uncertainty_weight: Positive,
        length: Positive,
        noise: Positive,
        exploration: NonNegative,
        control: Pair,
        window: Annotated[int, Within(at_least=_LEAST_WINDOW)],
        least_correlation: Annotated[float, Within(at_least=-1, at_most=1)],
    ) -> None:
        self._inner, self._space = inner, space
        self.budget, self.diameters = inner.budget, inner.diameters
        self._generator = np.random.default_rng(seed)
        self._pool, self._rounds, self._spread = pool, rounds, spread
        self._predictor = ScorePredictor(
            space,
            mixture=mixture,
            residuals=Residuals(length, noise),
            temperature=temperature,
            uncertainty_weight=uncertainty_weight,
        )
        self._exploration = exploration
        self._control, self._window, self._least = control, window, least_correlation
        self._scores: dict[Coefficients, float] = {}
        self._pairs: list[tuple[float, float]] = []  # predicted and true
        self._predicted = 0.0  # score of the pending point
        self._is_on = True

    def report(self) -> dict[str, float | int | bool | None]:
        """Return the rank correlation with true scores (None of less than two), its candidates, and its state."""
        correlation = rank_correlation(*zip(*self._pairs, strict=True)) if len(self._pairs) > 1 else None
        return {"rank_correlation": correlation, "used_until": len(self._pairs), "switched_off": not self._is_on}

    def initialize(self, initial_trials: Sequence[Trial]) -> None:
        """Learn from the start, and from the experts unless the method makes other models of their vertices."""
        self._inner.initialize(initial_trials)
        for trial in initial_trials:
            if trial.kind != "expert":
                self.observe(trial)
            elif self._space.vertices:
                self._scores[trial.coefficients] = trial.evaluation.score
                self._predictor.observe_expert(trial.coefficients)

    def observe(self, trial: Trial) -> None:
        """Learn a candidate's label scores; its score alone if it has none."""
        self._scores[trial.coefficients] = trial.evaluation.score
        if trial.evaluation.label_scores is not None:
            self._predictor.observe(trial.coefficients, scores=trial.evaluation.label_scores)

    def ask(self) -> Float[np.ndarray, " dimensions"] | None:
        """Return the most promising point, or the inner search's once this one has handed over."""
        if not self._is_on:
            return self._inner.ask()
        if (len(self._pairs) + 1) % self._control == 0:
            candidate = self._space.draw(self._generator)
        else:  # where all that can be drawn was evaluated, one of these again
            ranked = self._most_promising()
            candidate = ranked[0] if ranked else self._space.draw(self._generator)
        self._predicted = float(self._predictor.predict([candidate]).means[0])
        return self._space.point(candidate)

    def tell(self, point: Float[np.ndarray, " dimensions"], *, loss: float) -> None:
        """Compare the score with its prediction, and hand over if predictions rank badly."""
        if not self._is_on:
            self._inner.tell(point, loss=loss)
            return
        self._scores[self._space.at(point)] = -loss
        self._pairs.append((self._predicted, -loss))
        self._check_ranking()

    def close(self) -> None:
        """Close the inner search."""
        self._inner.close()

    def _most_promising(self) -> list[Coefficients]:
        """Return candidates that were not evaluated, the most promising first; none where all that are drawn were."""
        best = max(self._scores, key=lambda candidate: self._scores[candidate]) if self._scores else self._space.start
        even = [self._space.draw(self._generator) for _ in range(self._pool)]
        pool = self._rank([*even, *self._near([best], spread=self._spread)])
        for number in range(1, self._rounds + 1):
            if not pool:
                break
            leaders = pool[:_NUM_LEADERS]
            pool = self._rank([*leaders, *self._near(leaders, spread=self._spread / 2**number)])
        return pool

    def _near(self, centres: Sequence[Coefficients], *, spread: float) -> list[Coefficients]:
        """Return as many candidates as the pool has, normal steps from the centres in turn."""
        points = [np.maximum(point, point.max() - _EDGE) for point in map(self._space.point, centres)]
        steps = self._generator.normal(size=(self._pool, len(points[0])))
        steps *= spread * self._generator.choice(_STEPS, size=(self._pool, 1))
        return [self._space.at(points[index % len(points)] + step) for index, step in enumerate(steps)]

    def _rank(self, pool: Sequence[Coefficients]) -> list[Coefficients]:
        """Sort the candidates that were not evaluated by what they promise."""
        new = [candidate for candidate in pool if candidate not in self._scores]
        if not new:
            return []
        predicted = self._predictor.predict(new)
        promise = predicted.means + self._exploration * predicted.deviations
        return [new[index] for index in np.lexsort((-promise, predicted.is_known))]

    def _check_ranking(self) -> None:
        """Log how well predictions rank, and stop their use if they rank badly."""
        if len(self._pairs) < self._window:
            return
        correlation = rank_correlation(*zip(*self._pairs[-self._window :], strict=True))
        log.info("the surrogate ranks the last %d candidates with a correlation of %.2f", self._window, correlation)
        if correlation < self._least:
            self._is_on = False
            log.warning(
                f"the surrogate is off after {len(self._pairs)} candidates: its predictions' rank correlation with the "
                f"scores of the last {self._window} is {correlation:.2f}, below {self._least:.2f}; "
                "the search continues without it"
            )


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Compute Spearman's rank correlation; 0 if all values of one side are equal."""
    # not scipy's, whose last bits differ, and which takes a second to import
    ranks = np.array([_ranks(first), _ranks(second)])
    if (np.ptp(ranks, axis=1) == 0).any():
        return 0.0
    return float(np.corrcoef(ranks)[0, 1])


def _ranks(values: Sequence[float]) -> Float[np.ndarray, " values"]:
    """Rank the values, equal ones at their mean rank."""
    _, indices, sizes = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    return (np.cumsum(sizes) - (sizes - 1) / 2.0)[indices]
