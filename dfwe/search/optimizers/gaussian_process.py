"""Bayesian optimisation with a Gaussian process and expected improvement."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.stats import norm
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from dfwe.records import Coefficients, Trial
from dfwe.search.base import Search
from dfwe.search.space import Space
from dfwe.values.allowed import Count, Natural

_LEAST_SPREAD = 1e-12  # of losses that differ


class GaussianProcess(Search):
    """Maximise expected improvement (Mockus 1978; Jones et al. 1998) under scikit-learn's Gaussian process.

    The model is over the coefficients themselves, ranges scaled to [0, 1]: one amplitude, one length scale, Matern
    5/2, and white noise, all by maximum likelihood after each loss. The experts' own scores are its first observations
    where the merge method returns experts at their vertices. After `first` random draws it asks for the highest
    expected improvement, without the noise, on the lowest mean at any observation (as scores have noise, that stands
    for the lowest loss: Picheny et al. 2013). It chooses among `candidates` draws from the space and as many mixtures
    of one with the observation of lowest mean, the draw's share log-uniform from 0.01 to 1.
    """

    def __init__(self, space: Space, *, first: Natural, candidates: Count, seed: int, budget: Count) -> None:
        self._space, self.budget = space, budget
        self._first, self._candidates = first, candidates
        self._generator = np.random.default_rng(seed)
        self._observed: list[Coefficients] = []
        self._losses: list[float] = []

    def initialize(self, initial_trials: Sequence[Trial]) -> None:
        """Take the trials as first observations, experts only if their vertices give them."""
        for trial in initial_trials:
            if self._space.vertices or trial.kind != "expert":
                self._observe(trial.coefficients, loss=-trial.evaluation.score)

    def ask(self) -> Float[np.ndarray, " dimensions"]:
        """Return a random point at first, then the most promising."""
        is_random = self._first > 0 or not self._losses
        return self._space.point(self._space.draw(self._generator) if is_random else self._most_promising())

    def tell(self, point: Float[np.ndarray, " dimensions"], *, loss: float) -> None:
        """Add an observation."""
        self._first = max(0, self._first - 1)
        self._observe(self._space.at(point), loss=loss)

    def _observe(self, coefficients: Coefficients, *, loss: float) -> None:
        """Add an observation; the same candidate has the same loss, and is not added twice."""
        if coefficients not in self._observed:
            self._observed.append(coefficients)
            self._losses.append(loss)

    def _most_promising(self) -> Coefficients:
        losses = np.array(self._losses)
        scale = max(float(losses.std()), _LEAST_SPREAD)
        model = _fit(self._features(self._observed), losses=(losses - losses.mean()) / scale)
        means = model.predict(self._features(self._observed))
        candidates = self._pool(near=self._observed[int(means.argmin())])
        mean, deviation = model.predict(self._features(candidates), return_std=True)
        noise = model.kernel_.k2.noise_level
        certain = np.sqrt(np.maximum(deviation**2 - noise, 1e-18))
        return candidates[int(expected_improvement(mean, certain, least=float(means.min())).argmax())]

    def _pool(self, *, near: Coefficients) -> list[Coefficients]:
        """Draw candidates, and mixtures of candidates with `near`."""
        draws = [self._space.draw(self._generator) for _ in range(2 * self._candidates)]
        shares = 10 ** self._generator.uniform(-2, 0, self._candidates)
        origin = np.clip(near.as_array(), *_bounds(self._space))  # an expert's vertex may lie outside
        mixed = [
            Coefficients(near.names, tuple((origin + share * (draw.as_array() - origin)).tolist()))
            for share, draw in zip(shares, draws[self._candidates :], strict=True)
        ]
        return draws[: self._candidates] + mixed

    def _features(self, coefficients: Sequence[Coefficients]) -> Float[np.ndarray, "observations dimensions"]:
        low, high = _bounds(self._space)
        return np.asarray((np.array([candidate.values for candidate in coefficients]) - low) / (high - low))


def expected_improvement(
    mean: Float[np.ndarray, " candidates"], deviation: Float[np.ndarray, " candidates"], *, least: float
) -> Float[np.ndarray, " candidates"]:
    """Compute E max(0, least - Y) for normal Y (Jones et al. 1998).

    It is (least - m) Phi(z) + s phi(z) with z = (least - m) / s.
    """
    gain = least - mean
    z = gain / deviation
    return np.asarray(gain * norm.cdf(z) + deviation * norm.pdf(z))


def _fit(features: Float[np.ndarray, "observations dimensions"], *, losses: Float[np.ndarray, " observations"]) -> Any:
    """Fit the process to standardised losses, its kernel by maximum likelihood from one fixed start."""
    smooth = ConstantKernel(1.0, (0.05, 20.0)) * Matern(0.5, (0.1, 5.0), nu=2.5)
    model = GaussianProcessRegressor(smooth + WhiteKernel(0.1, (1e-4, 2.0)), n_restarts_optimizer=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # numbers at their bounds are expected
        model.fit(features, losses)
    return model


def _bounds(space: Space) -> tuple[Float[np.ndarray, " dimensions"], Float[np.ndarray, " dimensions"]]:
    """Return the lowest and the highest value of each coefficient and setting."""
    num = len(space.groups) * len(space.experts)
    one = (0.0, 1.0) if space.box is None else (space.box.low, space.box.high)
    bounds = [one] * num + [(setting.box.low, setting.box.high) for setting in space.settings]
    low, high = np.array(bounds).T
    return low, high
