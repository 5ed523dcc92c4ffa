"""A candidate's score, guessed from the label scores of the experts and of all candidates that were measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float

from dfwe.records import Coefficients
from dfwe.search.label_mixture import LabelMixture
from dfwe.search.residuals import Residuals
from dfwe.search.space import Space

_AT_ONCE = 64  # candidates, for the memory of their label scores


class Guess:
    """Learns label scores of candidates, and guesses others'.

    A candidate's label scores are taken to be the mixture of the experts' by its coefficients (`LabelMixture`) plus
    what `Residuals` makes of the residuals, true minus mixed, of every candidate learnt: near those the guess is good
    to single examples. The score is then expected at a temperature of `temperature` + `doubt` * (standard deviation of
    the label scores so guessed). Several groups are mixed by the mean of their coefficients, and searched settings as
    if they changed nothing; residuals know of both.
    """

    def __init__(
        self, space: Space, *, mixture: LabelMixture, residuals: Residuals, temperature: float, doubt: float
    ) -> None:
        self._space, self._mixture, self._residuals = space, mixture, residuals
        self._temperature, self._doubt = temperature, doubt
        self._learnt: dict[Coefficients, Float[np.ndarray, "examples labels"]] = {}  # their residuals

    def learn(self, coefficients: Coefficients, *, scores: Float[np.ndarray, "examples labels"]) -> None:
        """The candidate's true label scores."""
        mixed = self._mixture.mixed(self._rows([coefficients]))[0]
        self._learnt[coefficients] = self._mixture.filled(scores) - mixed

    def learn_expert(self, vertex: Coefficients) -> None:
        """That the candidate is an expert, whose label scores the mixture has."""
        self._learnt[vertex] = np.zeros(self._mixture.scores.shape[1:])

    def scores(
        self, candidates: Sequence[Coefficients]
    ) -> tuple[Float[np.ndarray, " candidates"], Float[np.ndarray, " candidates"]]:
        """Expected scores, and how far chance may move them (`LabelMixture.expected`)."""
        starts = range(0, len(candidates), _AT_ONCE)
        means, chances = zip(*(self._some(candidates[start : start + _AT_ONCE]) for start in starts), strict=True)
        return np.concatenate(means), np.concatenate(chances)

    def _some(
        self, candidates: Sequence[Coefficients]
    ) -> tuple[Float[np.ndarray, " candidates"], Float[np.ndarray, " candidates"]]:
        scores, spreads = self._mixture.mixed(self._rows(candidates)), np.zeros(len(candidates))
        if self._learnt:
            learnt = np.array(list(self._learnt.values()))
            more, spreads = self._residuals.at(_values(candidates), points=_values(self._learnt), measured=learnt)
            scores = scores + more
        return self._mixture.expected(scores, temperatures=self._temperature + self._doubt * spreads)

    def _rows(self, candidates: Sequence[Coefficients]) -> Float[np.ndarray, "candidates experts"]:
        return np.array([self._space.matrix(each).mean(axis=0) for each in candidates])


def _values(candidates: Iterable[Coefficients]) -> Float[np.ndarray, "candidates values"]:
    return np.array([each.values for each in candidates])
