"""What search and pick are worth on surfaces whose truth is known, with the noise of a small dev split."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from dfwe.records import Coefficients, Evaluation, Trial
from dfwe.search.loop import run_search
from dfwe.search.optimizers.nevergrad import NevergradSearch
from dfwe.search.selection import Bagged, SelectionContext, argmax
from dfwe.search.space import Space
from dfwe.search.trial_runner import ExtraTrials, TrialRunner

NUM_EXPERTS = 5
NAMES = tuple("abcde")
NUM_EXAMPLES = 100
NUM_SURFACES = 100


class Surface:
    """Example j is answered rightly iff quality(A) + 0.5 w_j.(A - uniform) + e_j > 0, with w_j and e_j
    normal.

    The quality falls off quadratically from the optimum. So dev scores are steps with noise that all
    candidates share, and the true score is a normal probability.
    """

    def __init__(self, seed: int, *, concentration: float, steepness: float) -> None:
        generator = np.random.default_rng(seed)
        self.optimum = generator.dirichlet(np.full(NUM_EXPERTS, concentration))
        scales = np.exp(generator.normal(0, 0.5, NUM_EXPERTS))
        root = generator.normal(size=(NUM_EXPERTS, NUM_EXPERTS)) * scales
        self.curvature = steepness * (root @ root.T) * NUM_EXPERTS / np.trace(root @ root.T)
        self.top = generator.uniform(0.3, 0.8)
        self.disagreement = 0.5 * generator.normal(size=(NUM_EXAMPLES, NUM_EXPERTS))
        self.luck = generator.normal(size=NUM_EXAMPLES)
        points = [self.optimum, *generator.dirichlet(np.ones(NUM_EXPERTS), 300)]
        self.best = max(self.truth(point) for point in points)

    def quality(self, values: np.ndarray) -> float:
        away = values - self.optimum
        return float(self.top - away @ self.curvature @ away)

    def truth(self, values: np.ndarray) -> float:
        spread = math.sqrt(1 + 0.25 * float(((values - 1 / NUM_EXPERTS) ** 2).sum()))
        return 0.5 * (1 + math.erf(self.quality(values) / spread / math.sqrt(2)))

    def evaluate(self, coefficients: Coefficients) -> Evaluation:
        values = coefficients.as_array()
        noise = self.disagreement @ (values - 1 / NUM_EXPERTS) + self.luck
        right = (self.quality(values) + noise > 0).astype(float)
        counts = np.stack([right, np.ones_like(right)], axis=1)
        return Evaluation(float(right.mean()), {}, tuple(str(int(r)) for r in right), counts)

    def regret(self, trial: Trial) -> float:
        return self.best - self.truth(trial.coefficients.as_array())


def share_right(totals: np.ndarray) -> np.ndarray:
    return totals[..., 0] / totals[..., 1]


def searched(surface: Surface, *, seed: int, **options: object) -> tuple[Trial, ...]:
    vertices = [Coefficients.vertex(NAMES, of=name) for name in NAMES]
    known = [Trial(0, "expert", vertex, surface.evaluate(vertex)) for vertex in vertices]
    search = NevergradSearch(Space(NAMES), seed=seed, budget=40, **options)
    trials = run_search(
        search, space=Space(NAMES), runner=TrialRunner(surface.evaluate), initial_trials=known, budget=40
    )
    search.close()
    return trials


def mean_regrets(made: Callable[[int], Surface]) -> dict[str, float]:
    regrets: dict[str, list[float]] = {"uniform": [], "argmax": [], "bagged": []}
    for seed in range(NUM_SURFACES):
        surface = made(seed)
        trials = searched(surface, seed=seed, optimizer="UnitNelderMead", step=1.0, adaptive=False)
        rule = Bagged(resamples=200, margin=0.01)
        make = ExtraTrials(TrialRunner(surface.evaluate), last=len(trials))
        chosen = {
            "uniform": next(trial for trial in trials if trial.kind == "uniform"),
            "argmax": argmax(trials),
            "bagged": rule.choose(trials, context=SelectionContext(make.run, share_right, seed)),
        }
        for name, trial in chosen.items():
            regrets[name].append(surface.regret(trial))
    return {name: float(np.mean(values)) for name, values in regrets.items()}


def test_bagged_beats_uniform_if_optimum_is_inside() -> None:
    regrets = mean_regrets(partial(Surface, concentration=4.0, steepness=0.6))
    assert regrets["bagged"] < regrets["argmax"] < regrets["uniform"]


def test_bagged_leaves_little_regret_near_a_face() -> None:
    regrets = mean_regrets(partial(Surface, concentration=0.35, steepness=0.6))
    assert regrets["bagged"] <= 0.15 * regrets["uniform"]


def test_bagged_loses_little_if_uniform_is_best() -> None:
    regrets = mean_regrets(partial(Surface, concentration=1.5, steepness=0.06))
    assert regrets["uniform"] < 0.0015
    assert regrets["bagged"] <= 0.003


class Barrier(Surface):
    """Experts in basins of their own: what is mixed is worse than what it is mixed of."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed, concentration=1.0, steepness=0.6)
        self.each = np.random.default_rng(1000 + seed).normal(0.3, 0.3, NUM_EXPERTS)
        self.best = max(self.truth(vertex) for vertex in np.eye(NUM_EXPERTS))

    def quality(self, values: np.ndarray) -> float:
        return float(values @ self.each - 0.5 * (1 - values @ values)) if hasattr(self, "each") else 0.0


def test_bagged_loses_a_point_at_most_across_basins() -> None:
    regrets = mean_regrets(Barrier)
    assert regrets["bagged"] <= regrets["argmax"] + 0.01
    assert regrets["bagged"] <= 0.1 * regrets["uniform"]


@pytest.mark.parametrize("adaptive", [False, True])
def test_nelder_mead_first_simplex_moves_by_a_tenth(adaptive: bool) -> None:
    surface = Surface(0, concentration=4.0, steepness=0.6)
    trials = searched(surface, seed=0, optimizer="UnitNelderMead", step=1.0, adaptive=adaptive)
    first = [trial.coefficients.as_array() for trial in trials if trial.kind == "search"][:NUM_EXPERTS]
    assert np.abs(np.array(first) - 1 / NUM_EXPERTS).max() >= 0.1
