"""Fewer true evaluations: a cheap prediction says which candidates are worth one."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dfwe.errors import SearchError
from dfwe.records import Coefficients, Trial
from dfwe.search.base import Search
from dfwe.search.label_mixture import LabelMixture
from dfwe.search.residuals import Residuals
from dfwe.search.space import Space

log = logging.getLogger(__name__)

_LEAST_WINDOW = 6  # fewer scores tell nothing of a rank correlation
_EDGE = 8.0  # logits below the best's highest; further out a step changes nothing
_STEPS = (0.25, 0.5, 1.0)  # near and further from the best, in parts of `spread`


@dataclass(frozen=True)
class _Seen:
    """A candidate with its score and what the label scores alone had predicted."""

    coefficients: Coefficients
    score: float
    predicted: float


@dataclass(frozen=True)
class _Proposal:
    """What is asked, with the prediction from label scores alone, and the corrected one."""

    point: Float[np.ndarray, " dimensions"]
    predicted: float
    corrected: float


class Surrogate(Search):
    """Asks what promises most: the predicted score, corrected by what was measured so far.

    Of `pool` candidates drawn from the space and as many near the best so far (normal steps of `spread` logits) it
    asks the one with the highest P + M + `exploration` * S - `pull` * D. P is predicted from the experts' label scores
    (`LabelMixture`); M and S are mean and standard deviation of the residuals, measured minus predicted, of the
    experts, the start and all told (`Residuals`): an upper confidence bound; D is the distance from the start, as what
    lies far out overfits dev. Every `control`-th candidate is drawn evenly instead: among the promising alone there is
    little to rank. Several groups are predicted by the mean of their coefficients, and searched settings as if they
    changed nothing; residuals know of both.

    It steps aside for the search `inside`, for good, once the rank correlation (Spearman's) of the corrected
    predictions, made before measuring, with the scores is below `least_correlation` over the last `window` candidates.

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
        pool: int,
        spread: float,
        temperature: float,
        length: float,
        noise: float,
        exploration: float,
        pull: float,
        control: int,
        window: int,
        least_correlation: float,
    ) -> None:
        _check_above_zero(pool=pool, spread=spread, temperature=temperature, length=length, noise=noise)
        if control < 2 or window < _LEAST_WINDOW:
            raise SearchError(
                f"the surrogate's control must be at least 2 and its window at least {_LEAST_WINDOW}, "
                f"not {control} and {window}"
            )
        self._inside, self._space, self._mixture = inside, space, mixture
        self._generator = np.random.default_rng(seed)
        self._pool, self._spread, self._temperature = pool, spread, temperature
        self._residuals, self._exploration, self._pull = Residuals(length, noise), exploration, pull
        self._control, self._window, self._least = control, window, least_correlation
        self._seen: dict[Coefficients, _Seen] = {}
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
        """No: it learns from every score."""
        return False

    def report(self) -> dict[str, float | int | bool | None]:
        """Its rank correlation with true scores (None of less than two), how many candidates it asked, if it is on."""
        known = rank_correlation(*zip(*self._pairs, strict=True)) if len(self._pairs) > 1 else None
        return {"rank_correlation": known, "used_until": len(self._pairs), "switched_off": not self._is_on}

    def begin(self, known: Sequence[Trial]) -> None:
        """Learns the residuals of the experts and the start."""
        self._inside.begin(known)
        for trial in known:
            predicted = float(self._predict([trial.coefficients])[0])
            self._seen[trial.coefficients] = _Seen(trial.coefficients, trial.evaluation.score, predicted)

    def ask(self) -> Float[np.ndarray, " dimensions"] | None:
        """The most promising point, the pending one, or what the search inside asks once this one stepped aside."""
        if not self._is_on:
            return self._inside.ask()
        if self._pending is None:
            self._pending = self._propose()
        return self._pending.point.copy()

    def tell(self, point: Float[np.ndarray, " dimensions"], *, loss: float) -> None:
        """Learn the point's residual, and step aside if predictions rank badly; a point not asked is learnt, too."""
        if not self._is_on:
            self._inside.tell(point, loss=loss)
            return
        coefficients = self._space.at(point)
        self._seen[coefficients] = _Seen(coefficients, -loss, float(self._predict([coefficients])[0]))
        if self._pending is not None and np.array_equal(point, self._pending.point):
            self._pairs.append((self._pending.corrected, -loss))
            self._pending = None
            self._judge()

    def close(self) -> None:
        """Ends the search inside."""
        self._inside.close()

    def _propose(self) -> _Proposal:
        pool = self._candidates()
        predicted = self._predict(pool)
        values = np.array([each.values for each in pool])
        seen = list(self._seen.values())
        mean, spread = np.zeros(len(pool)), np.zeros(len(pool))
        if seen:
            points = np.array([each.coefficients.values for each in seen])
            measured = np.array([each.score - each.predicted for each in seen])
            mean, spread = self._residuals.at(values, points=points, measured=measured)
        far = np.linalg.norm(values - self._space.start.as_array(), axis=1)
        best = int(np.argmax(predicted + mean + self._exploration * spread - self._pull * far))
        is_control = (len(self._pairs) + 1) % self._control == 0
        place = 0 if is_control else best
        return _Proposal(self._space.point(pool[place]), float(predicted[place]), float(predicted[place] + mean[place]))

    def _candidates(self) -> list[Coefficients]:
        """The pool, evenly drawn ones first, without what was measured."""
        space, generator = self._space, self._generator
        best = max(self._seen.values(), key=lambda seen: seen.score).coefficients if self._seen else space.start
        point = space.point(best)
        point = np.maximum(point, point.max() - _EDGE)
        steps = generator.normal(size=(self._pool, len(point))) * generator.choice(_STEPS, size=(self._pool, 1))
        drawn = [space.draw(generator) for _ in range(self._pool)]
        near = [space.at(point + self._spread * step) for step in steps]
        return [each for each in (*drawn, *near) if each not in self._seen]

    def _predict(self, candidates: Sequence[Coefficients]) -> Float[np.ndarray, " candidates"]:
        rows = np.array([self._space.matrix(each).mean(axis=0) for each in candidates])
        return self._mixture.predict(rows, temperature=self._temperature)

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
