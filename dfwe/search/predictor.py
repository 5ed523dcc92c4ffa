"""Predictions of candidates' scores from the label scores of the experts and of evaluated candidates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from dfwe.errors import SearchError
from dfwe.metrics.statistics import Score
from dfwe.records import Coefficients
from dfwe.search.space import Space

LabelScores = Float[np.ndarray, "examples labels"]
_CHUNK_SIZE = 64  # candidates at once, for the memory of their label scores


@dataclass(frozen=True, eq=False)
class LabelMixture:
    """Predict a mixture of experts as if mixing weights mixed their label scores, which holds to first order.

    `scores` are the experts' log-likelihoods of each example's labels, -inf where it has fewer; `counts` are the
    counts of each label as the answer; `score` is the metric of summed counts.

    Raises:
        SearchError: scores and counts are of other examples or labels.
    """

    scores: Float[np.ndarray, "experts examples labels"]
    counts: Float[np.ndarray, "counted answers counts"]  # as many as examples and labels
    score: Score

    def __post_init__(self) -> None:
        if self.scores.shape[1:] != self.counts.shape[:2]:
            raise SearchError(
                f"the experts scored {self.scores.shape[2]} labels of {self.scores.shape[1]} examples, but there are "
                f"counts of {self.counts.shape[1]} labels of {self.counts.shape[0]}: was it another dev split?"
            )

    def mix(self, rows: Float[np.ndarray, "candidates experts"]) -> Float[np.ndarray, "candidates examples labels"]:
        """Mix the experts' label scores by these coefficients; 0 for a label that an example lacks."""
        return np.tensordot(rows, self.fill_missing(self.scores), axes=1)

    def fill_missing(
        self, scores: Float[np.ndarray, "*models examples labels"]
    ) -> Float[np.ndarray, "*models examples labels"]:
        """Replace the label scores of labels that an example lacks by 0."""
        return np.where(self._exists, scores, 0.0).astype(np.float64)

    def answers(self, scores: Float[np.ndarray, "*models examples labels"]) -> Int[np.ndarray, "*models examples"]:
        """Return the indices of the best labels."""
        return np.asarray(np.where(self._exists, scores, -np.inf).argmax(axis=-1))

    def expected(
        self,
        scores: Float[np.ndarray, "candidates examples labels"],
        *,
        temperatures: Float[np.ndarray, " candidates"],
    ) -> tuple[Float[np.ndarray, " candidates"], Float[np.ndarray, " candidates"]]:
        """Return the expected metric of models with about these label scores, and its standard deviation.

        A label is the answer with the probability that the softmax of the scores divided by the temperature gives it:
        where two labels are close, a model whose scores are not known exactly may answer either. The second is the
        standard deviation of a share of n examples that are so answered, sqrt(sum of (1 - sum of squared
        probabilities)) / n. Both are to choose proposals by, never to be reported.
        """
        logits = np.where(self._exists, scores, -np.inf)
        powers = np.exp((logits - logits.max(axis=-1, keepdims=True)) / temperatures[:, None, None])
        answers = powers / powers.sum(axis=-1, keepdims=True)
        chance = (1.0 - (answers**2).sum(axis=-1)).sum(axis=-1)
        return self.score(np.tensordot(answers, self.counts, axes=2)), np.sqrt(chance) / scores.shape[1]

    @cached_property
    def _exists(self) -> Bool[np.ndarray, "examples labels"]:
        return np.asarray(np.isfinite(self.scores).all(axis=0))


class PredictedScores(NamedTuple):
    """Predictions for some candidates.

    `means` are expected scores, with standard deviations `deviations` (`LabelMixture.expected`). `is_known` marks
    candidates that would answer every example as an observed one does, so that evaluating them would tell nothing.
    """

    means: Float[np.ndarray, " candidates"]
    deviations: Float[np.ndarray, " candidates"]
    is_known: Bool[np.ndarray, " candidates"]


@dataclass(frozen=True)
class Residuals:
    """Gaussian process over candidates for many outputs at once (Rasmussen and Williams 2006, equations 2.25, 2.26).

    The mean is zero. The covariance of two candidates is s^2 exp(-d^2 / (2 length^2)) for their distance d, `noise`
    the part of s^2 that is each measurement's own. Outputs are independent and share s^2, which is the most likely
    one: the mean of r' K^-1 r over outputs, divided by the number of candidates.
    """

    length: float
    noise: float

    def predict(
        self,
        candidates: Float[np.ndarray, "candidates values"],
        *,
        points: Float[np.ndarray, "points values"],
        measured: Float[np.ndarray, "points examples labels"],
    ) -> tuple[Float[np.ndarray, "candidates examples labels"], Float[np.ndarray, " candidates"]]:
        """Return means of all outputs, and their standard deviation, at the candidates."""
        covariance = self._covariance(points, points) + self.noise * np.eye(len(points))
        across = self._covariance(candidates, points)
        weights = np.linalg.solve(covariance, across.T).T
        flat = measured.reshape(len(points), -1)
        square = float((flat * np.linalg.solve(covariance, flat)).sum()) / max(1, flat.size)
        variance = 1.0 - np.einsum("ap,ap->a", across, weights)
        return np.tensordot(weights, measured, axes=1), np.sqrt(square * np.maximum(variance, 0.0))

    def _covariance(
        self, first: Float[np.ndarray, "first values"], second: Float[np.ndarray, "second values"]
    ) -> Float[np.ndarray, "first second"]:
        squares = ((first[:, None, :] - second[None, :, :]) ** 2).sum(axis=-1)
        return np.asarray(np.exp(-squares / (2.0 * self.length**2)))


class ScorePredictor:
    """Learn label scores of candidates, and predict the scores of others.

    A candidate's label scores are taken to be the mixture of the experts' by its coefficients (`LabelMixture`) plus
    what `Residuals` predict from the residuals, true minus mixed, of every observed candidate: near those the
    prediction is good to single examples. The score is then expected at a temperature of `temperature` +
    `uncertainty_weight` * (standard deviation of the predicted label scores). Several groups are mixed by the mean of
    their coefficients, and tuned parameters as if they changed nothing; residuals account for both.
    """

    def __init__(
        self,
        space: Space,
        *,
        mixture: LabelMixture,
        residuals: Residuals,
        temperature: float,
        uncertainty_weight: float,
    ) -> None:
        self._space, self._mixture, self._residuals = space, mixture, residuals
        self._temperature, self._uncertainty_weight = temperature, uncertainty_weight
        self._observed: dict[Coefficients, Float[np.ndarray, "examples labels"]] = {}  # their residuals
        self._answers: dict[Coefficients, Int[np.ndarray, " examples"]] = {}

    def observe(self, coefficients: Coefficients, *, scores: Float[np.ndarray, "examples labels"]) -> None:
        """Learn the candidate's true label scores."""
        self._add(coefficients, residuals=self._mixture.fill_missing(scores) - self._mix([coefficients])[0])

    def observe_expert(self, vertex: Coefficients) -> None:
        """Learn that the candidate is an expert, whose label scores the mixture has."""
        self._add(vertex, residuals=np.zeros(self._mixture.scores.shape[1:]))

    def predict(self, candidates: Sequence[Coefficients]) -> PredictedScores:
        """Predict the score of each candidate."""
        starts = range(0, len(candidates), _CHUNK_SIZE)
        chunks = [self._predict_chunk(candidates[start : start + _CHUNK_SIZE]) for start in starts]
        return PredictedScores(*map(np.concatenate, zip(*chunks, strict=True)))

    def _add(self, candidate: Coefficients, *, residuals: Float[np.ndarray, "examples labels"]) -> None:
        self._observed[candidate] = residuals
        self._answers[candidate] = self._mixture.answers(self._mix([candidate])[0] + residuals)

    def _predict_chunk(self, candidates: Sequence[Coefficients]) -> PredictedScores:
        scores, spreads, is_known = self._mix(candidates), np.zeros(len(candidates)), np.zeros(len(candidates), bool)
        if self._observed:
            measured = np.array(list(self._observed.values()))
            residuals, spreads = self._residuals.predict(
                _values(candidates), points=_values(self._observed), measured=measured
            )
            scores = scores + residuals
            answers, observed_answers = self._mixture.answers(scores), np.array(list(self._answers.values()))
            is_known = (answers[:, None] == observed_answers).all(axis=-1).any(axis=-1)
        temperatures = self._temperature + self._uncertainty_weight * spreads
        return PredictedScores(*self._mixture.expected(scores, temperatures=temperatures), is_known)

    def _mix(self, candidates: Sequence[Coefficients]) -> Float[np.ndarray, "candidates examples labels"]:
        return self._mixture.mix(np.array([self._space.matrix(candidate).mean(axis=0) for candidate in candidates]))


def _values(candidates: Iterable[Coefficients]) -> Float[np.ndarray, "candidates values"]:
    return np.array([candidate.values for candidate in candidates])


def mean_log_probabilities(
    scores: Sequence[LabelScores], *, weights: Float[np.ndarray, " experts"] | None = None
) -> LabelScores:
    """Return the models' mean of log-likelihoods, normalised over each example's labels (-inf: no label)."""
    total = np.zeros(scores[0].shape)
    for number, array in enumerate(scores):
        if weights is None:
            total += log_probabilities(array)
        elif weights[number]:  # 0 times -inf is not a number
            total += weights[number] * log_probabilities(array)
    return total / len(scores) if weights is None else total


def log_probabilities(scores: LabelScores) -> LabelScores:
    """Return log-likelihoods normalised over each example's labels (-inf: no label)."""
    shifted = scores.astype(np.float64) - scores.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
