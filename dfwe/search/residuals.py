"""What predictions of candidates' scores leave unexplained, guessed at other candidates from those measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

_LEAST = 1e-3  # of a residual's spread, in score: a tenth of a point, so that it never vanishes


@dataclass(frozen=True)
class Residuals:
    """A Gaussian process over candidates (Rasmussen and Williams 2006, equations 2.25 and 2.26), its mean zero.

    Covariance of two candidates: s^2 (1 + exp(-d^2 / (2 length^2))) for their distance d; the 1 lets all predictions
    be off by the same. s^2 is half the mean square of what was measured. `noise` is the part of s^2 that is each
    measurement's own: a score is a step function.
    """

    length: float
    noise: float

    def at(
        self,
        asked: Float[np.ndarray, "asked values"],
        *,
        points: Float[np.ndarray, "points values"],
        measured: Float[np.ndarray, " points"],
    ) -> tuple[Float[np.ndarray, " asked"], Float[np.ndarray, " asked"]]:
        """Mean and standard deviation at the candidates asked, from `measured` residuals at `points`."""
        scale = max(_LEAST, float(np.sqrt(np.mean(measured**2) / 2)))
        known = self._covariance(points, points) + self.noise * np.eye(len(points))
        across = self._covariance(asked, points)
        solved = np.linalg.solve(known, across.T)
        variance = 2.0 - np.einsum("ap,pa->a", across, solved)
        return measured @ solved, scale * np.sqrt(np.maximum(variance, 0.0))

    def _covariance(
        self, first: Float[np.ndarray, "first values"], second: Float[np.ndarray, "second values"]
    ) -> Float[np.ndarray, "first second"]:
        squares = ((first[:, None, :] - second[None, :, :]) ** 2).sum(axis=-1)
        return np.asarray(1.0 + np.exp(-squares / (2.0 * self.length**2)))
