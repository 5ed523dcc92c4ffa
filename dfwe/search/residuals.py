"""What label scores mixed to first order leave unexplained, guessed at other candidates from those measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Residuals:
    """A Gaussian process over candidates for many outputs at once (Rasmussen and Williams 2006, equations 2.25, 2.26).

    The mean is zero; the covariance of two candidates is s^2 exp(-d^2 / (2 length^2)) for their distance d, `noise`
    the part of s^2 that is each measurement's own. Outputs are independent and share s^2, which is what makes the
    measured most likely: the mean of r' K^-1 r over outputs, divided by the number of candidates.
    """

    length: float
    noise: float

    def at(
        self,
        asked: Float[np.ndarray, "asked values"],
        *,
        points: Float[np.ndarray, "points values"],
        measured: Float[np.ndarray, "points examples labels"],
    ) -> tuple[Float[np.ndarray, "asked examples labels"], Float[np.ndarray, " asked"]]:
        """Means of all outputs, and their standard deviation, at the candidates asked, from those at `points`."""
        known = self._covariance(points, points) + self.noise * np.eye(len(points))
        across = self._covariance(asked, points)
        weights = np.linalg.solve(known, across.T).T
        flat = measured.reshape(len(points), -1)
        square = float((flat * np.linalg.solve(known, flat)).sum()) / max(1, flat.size)
        variance = 1.0 - np.einsum("ap,ap->a", across, weights)
        return np.tensordot(weights, measured, axes=1), np.sqrt(square * np.maximum(variance, 0.0))

    def _covariance(
        self, first: Float[np.ndarray, "first values"], second: Float[np.ndarray, "second values"]
    ) -> Float[np.ndarray, "first second"]:
        squares = ((first[:, None, :] - second[None, :, :]) ** 2).sum(axis=-1)
        return np.asarray(np.exp(-squares / (2.0 * self.length**2)))
