"""A candidate's score, guessed from the label scores of the experts and of all candidates that were measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from dfwe.records import Coefficients
from dfwe.search.label_mixture import LabelMixture
from dfwe.search.residuals import Residuals
from dfwe.search.space import Space

_AT_ONCE = 64  # candidates, for the memory of their label scores


@dataclass(frozen=True, eq=False)
class Guessed:
    """What is guessed of some candidates.

    `scores` are expected, and chance may move them as far as `chances` (`LabelMixture.expected`); `known` are those
    that would answer every example as one learnt does, so that measuring them would tell nothing.
    """

    scores: Float[np.ndarray, " candidates"]
    chances: Float[np.ndarray, " candidates"]
    known: Bool[np.ndarray, " candidates"]


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
        self._answers: dict[Coefficients, Int[np.ndarray, " examples"]] = {}

    def learn(self, coefficients: Coefficients, *, scores: Float[np.ndarray, "examples labels"]) -> None:
        """The candidate's true label scores."""
        self._take(coefficients, residuals=self._mixture.filled(scores) - self._mixed([coefficients])[0])

    def learn_expert(self, vertex: Coefficients) -> None:
        """That the candidate is an expert, whose label scores the mixture has."""
        self._take(vertex, residuals=np.zeros(self._mixture.scores.shape[1:]))

    def of(self, candidates: Sequence[Coefficients]) -> Guessed:
        """The guess for each candidate."""
        parts = [self._some(candidates[start : start + _AT_ONCE]) for start in range(0, len(candidates), _AT_ONCE)]
        return Guessed(
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.chances for part in parts]),
            np.concatenate([part.known for part in parts]),
        )

    def _take(self, candidate: Coefficients, *, residuals: Float[np.ndarray, "examples labels"]) -> None:
        self._learnt[candidate] = residuals
        self._answers[candidate] = self._mixture.answers(self._mixed([candidate])[0] + residuals)

    def _some(self, candidates: Sequence[Coefficients]) -> Guessed:
        scores, spreads, known = self._mixed(candidates), np.zeros(len(candidates)), np.zeros(len(candidates), bool)
        if self._learnt:
            learnt = np.array(list(self._learnt.values()))
            more, spreads = self._residuals.at(_values(candidates), points=_values(self._learnt), measured=learnt)
            scores = scores + more
            answers, learnt_answers = self._mixture.answers(scores), np.array(list(self._answers.values()))
            known = (answers[:, None] == learnt_answers).all(axis=-1).any(axis=-1)
        expected = self._mixture.expected(scores, temperatures=self._temperature + self._doubt * spreads)
        return Guessed(*expected, known)

    def _mixed(self, candidates: Sequence[Coefficients]) -> Float[np.ndarray, "candidates examples labels"]:
        return self._mixture.mixed(self._rows(candidates))

    def _rows(self, candidates: Sequence[Coefficients]) -> Float[np.ndarray, "candidates experts"]:
        return np.array([self._space.matrix(each).mean(axis=0) for each in candidates])


def _values(candidates: Iterable[Coefficients]) -> Float[np.ndarray, "candidates values"]:
    return np.array([each.values for each in candidates])
