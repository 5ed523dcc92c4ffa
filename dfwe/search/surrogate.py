"""Fewer true evaluations: a cheap prediction says which candidates are worth one."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from jaxtyping import Float

from dfwe.errors import SearchError
from dfwe.records import Coefficients, Trial
from dfwe.search.base import Hearing, Search
from dfwe.search.guess import Guess
from dfwe.search.label_mixture import LabelMixture
from dfwe.search.residuals import Residuals
from dfwe.search.space import Space
from dfwe.values.allowed import Count, Natural, NonNegative, Pair, Positive, Within

log = logging.getLogger(__name__)

_LEAST_WINDOW = 6  # fewer scores tell nothing of a rank correlation
_EDGE = 8.0  # logits below the best's highest; further out a step changes nothing
_STEPS = (0.25, 0.5, 1.0)  # near and further, in parts of `spread`
_LEADERS = 16  # candidates that a round of refinement starts from


@dataclass(frozen=True)
class _Proposal:
    """What is asked, with its predicted score."""

    point: Float[np.ndarray, " dimensions"]
    predicted: float


class Surrogate(Search, Hearing):
    """Asks what promises most: a score predicted from label scores, those of all that was measured so far.

    A candidate promises the score that its label scores let expect (`Guess`: `temperature`, `doubt`, and of `Residuals`
    `length` and `noise`), plus `exploration` * (how far chance may move that): an upper confidence bound. One
    that would answer every example as a measured one does promises nothing new, and comes behind all others.

    The most promising is looked for among `pool` candidates drawn evenly and as many near the best so far (normal steps
    of `spread` logits), then `rounds` times among the leaders and `pool` steps from them, shorter each time. Every
    `control`-th candidate is drawn evenly instead: among the promising alone there is little to rank.

    It steps aside for the search `inside`, for good, once the rank correlation (Spearman's) of predictions, made before
    measuring, with the scores is below `least_correlation` over the last `window` candidates.

    No prediction is ever told as a score. Not in the DFWE paper.

    Raises:
        SearchError: a setting is out of its range.
    """

    def __init__(
        self,
        inside: Search,
        *,
        space: Space,
        mixture: LabelMixture,
        seed: int,
        pool: Count,
        rounds: Natural,
        spread: Positive,
        temperature: Positive,
        doubt: Positive,
        length: Positive,
        noise: Positive,
        exploration: NonNegative,
        control: Pair,
        window: Annotated[int, Within(at_least=_LEAST_WINDOW)],
        least_correlation: Annotated[float, Within(at_least=-1, at_most=1)],
    ) -> None:
        _check_above_zero(pool=pool, spread=spread, temperature=temperature, doubt=doubt, length=length, noise=noise)
        if control < 2 or window < _LEAST_WINDOW:
            raise SearchError(
                f"the surrogate's control must be at least 2 and its window at least {_LEAST_WINDOW}, "
                f"not {control} and {window}"
            )
        self._inside, self._space = inside, space
        self._generator = np.random.default_rng(seed)
        self._pool, self._rounds, self._spread = pool, rounds, spread
        residuals = Residuals(length, noise)
        self._guess = Guess(space, mixture=mixture, residuals=residuals, temperature=temperature, doubt=doubt)
        self._exploration = exploration
        self._control, self._window, self._least = control, window, least_correlation
        self._scores: dict[Coefficients, float] = {}
        self._pairs: list[tuple[float, float]] = []  # predicted and measured
        self._pending: _Proposal | None = None
        self._is_on = True

    @property
    def budget(self) -> int:
        """The inner search's."""
        return self._inside.budget

    @property
    def asks(self) -> int:
        """One: the next proposal learns from the last."""
        return 1

    @property
    def compares_only(self) -> bool:
        """No: it learns from every answer."""
        return False

    @property
    def diameters(self) -> Sequence[float]:
        """The inner search's, once it has taken over."""
        return self._inside.diameters

    def report(self) -> dict[str, float | int | bool | None]:
        """Its rank correlation with true scores (None of less than two), how many candidates it asked, if it is on."""
        known = rank_correlation(*zip(*self._pairs, strict=True)) if len(self._pairs) > 1 else None
        return {"rank_correlation": known, "used_until": len(self._pairs), "switched_off": not self._is_on}

    def begin(self, known: Sequence[Trial]) -> None:
        """Learns from the start, and from the experts unless the rule makes other models of their vertices."""
        self._inside.begin(known)
        for trial in known:
            if trial.kind != "expert":
                self.hear(trial)
            elif self._space.vertices:
                self._scores[trial.coefficients] = trial.evaluation.score
                self._guess.learn_expert(trial.coefficients)

    def hear(self, trial: Trial) -> None:
        """Learns a candidate's label scores; of answers without them, the score alone."""
        self._scores[trial.coefficients] = trial.evaluation.score
        if trial.evaluation.label_scores is not None:
            self._guess.learn(trial.coefficients, scores=trial.evaluation.label_scores)

    def ask(self) -> Float[np.ndarray, " dimensions"] | None:
        """The most promising point, the pending one, or what the search inside asks once this one stepped aside."""
        if not self._is_on:
            return self._inside.ask()
        if self._pending is None:
            self._pending = self._propose()
        return self._pending.point.copy()

    def tell(self, point: Float[np.ndarray, " dimensions"], *, loss: float) -> None:
        """Compare the score with what was predicted, and step aside if predictions rank badly."""
        if not self._is_on:
            self._inside.tell(point, loss=loss)
            return
        self._scores[self._space.at(point)] = -loss
        if self._pending is not None and np.array_equal(point, self._pending.point):
            self._pairs.append((self._pending.predicted, -loss))
            self._pending = None
            self._judge()

    def close(self) -> None:
        """Ends the search inside."""
        self._inside.close()

    def _propose(self) -> _Proposal:
        if (len(self._pairs) + 1) % self._control == 0:
            pool = [self._space.draw(self._generator)]
        else:
            pool = self._most_promising()
        return _Proposal(self._space.point(pool[0]), float(self._guess.of(pool[:1]).scores[0]))

    def _most_promising(self) -> list[Coefficients]:
        """Candidates that were not measured, the most promising first."""
        best = max(self._scores, key=lambda each: self._scores[each]) if self._scores else self._space.start
        even = [self._space.draw(self._generator) for _ in range(self._pool)]
        pool = self._by_promise([*even, *self._near([best], spread=self._spread)])
        for number in range(1, self._rounds + 1):
            leaders = pool[:_LEADERS]
            pool = self._by_promise([*leaders, *self._near(leaders, spread=self._spread / 2**number)])
        return pool

    def _near(self, centres: Sequence[Coefficients], *, spread: float) -> list[Coefficients]:
        """As many candidates as the pool has, normal steps from the centres in turn."""
        points = [np.maximum(point, point.max() - _EDGE) for point in map(self._space.point, centres)]
        steps = self._generator.normal(size=(self._pool, len(points[0])))
        steps *= spread * self._generator.choice(_STEPS, size=(self._pool, 1))
        return [self._space.at(points[place % len(points)] + step) for place, step in enumerate(steps)]

    def _by_promise(self, pool: Sequence[Coefficients]) -> list[Coefficients]:
        new = [each for each in pool if each not in self._scores]
        guessed = self._guess.of(new)
        promise = guessed.scores + self._exploration * guessed.chances
        return [new[place] for place in np.lexsort((-promise, guessed.known))]

    def _judge(self) -> None:
        """Says how well predictions rank, and ends their use where they rank badly."""
        if len(self._pairs) < self._window:
            return
        found = rank_correlation(*zip(*self._pairs[-self._window :], strict=True))
        log.info("the surrogate ranks the last %d candidates with a correlation of %.2f", self._window, found)
        if found < self._least:
            self._is_on = False
            log.warning(
                "the surrogate is off after %d candidates: its predictions' rank correlation with the scores of the "
                "last %d is %.2f, below %.2f; the search goes on without it",
                len(self._pairs),
                self._window,
                found,
                self._least,
            )


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Spearman's: Pearson's correlation of ranks, equal values at their mean rank; 0 where all of one are equal."""
    ranks = np.array([_ranks(first), _ranks(second)])
    if (np.ptp(ranks, axis=1) == 0).any():
        return 0.0
    return float(np.corrcoef(ranks)[0, 1])


def _ranks(values: Sequence[float]) -> Float[np.ndarray, " values"]:
    _, places, sizes = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    return (np.cumsum(sizes) - (sizes - 1) / 2.0)[places]


def _check_above_zero(**settings: int | float) -> None:
    for name, value in settings.items():
        if not value > 0:
            raise SearchError(f"the surrogate's {name} must be above 0, not {value}")
