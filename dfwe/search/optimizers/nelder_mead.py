"""A Nelder-Mead for nevergrad that moves: plain ask and tell, unit steps, no thread.

nevergrad 1.0.12's own `NelderMead` starts from a simplex with edges of 0.00025 in standardised space, which a
metric that is a step function (a share of right answers) cannot see, and runs in a worker thread. This one is
for comparison and for use in its place.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import nevergrad
import numpy as np
from jaxtyping import Float
from nevergrad.optimization import base

REGISTERED_NAME = "UnitNelderMead"

Point = Float[np.ndarray, " dimensions"]


@dataclass(frozen=True)
class Moves:
    """Coefficients of reflection, expansion, contraction and shrinkage of the simplex."""

    reflection: float
    expansion: float
    contraction: float
    shrink: float

    @classmethod
    def of(cls, dimensions: int, *, adaptive: bool) -> Moves:
        """Return the coefficients of Nelder and Mead (1965), or those Gao and Han (2012) adapt to the dimension n.

        Adaptive: (1, 1 + 2/n, 3/4 - 1/(2n), 1 - 1/n). With n = 1 that would shrink to a
        point, so one dimension has the standard coefficients (1, 2, 1/2, 1/2) in both cases.
        """
        if not adaptive or dimensions == 1:
            return cls(1.0, 2.0, 0.5, 0.5)
        n = dimensions
        return cls(1.0, 1.0 + 2.0 / n, 0.75 - 1.0 / (2.0 * n), 1.0 - 1.0 / n)


def nelder_mead(
    start: Point, *, step: float, moves: Moves, diameters: list[float] | None = None
) -> Generator[Point, float, None]:
    """Yield points and receive their losses, for ever.

    Nelder and Mead (1965), with the cases and inequalities as Gao and Han (2012) write them.
    The first simplex is `start` and one point per axis, `step` away. Equal losses keep their order of
    arrival, a new point behind the older ones. The diameter is appended to `diameters` before each iteration.
    """
    corners = [start.copy()] + [start + step * axis for axis in np.eye(len(start))]
    losses = []
    for corner in corners:
        losses.append((yield corner))
    while True:
        if diameters is not None:
            diameters.append(max(float(np.linalg.norm(a - b)) for a, b in combinations(corners, 2)))
        order = np.argsort(losses, kind="stable")
        corners, losses = [corners[i] for i in order], [losses[i] for i in order]
        replacement = yield from _replacement(corners, losses=losses, moves=moves)
        if replacement is not None:
            corners[-1], losses[-1] = replacement
            continue
        for i in range(1, len(corners)):
            corners[i] = corners[0] + moves.shrink * (corners[i] - corners[0])
            losses[i] = yield corners[i]


def _replacement(
    corners: list[Point], *, losses: list[float], moves: Moves
) -> Generator[Point, float, tuple[Point, float] | None]:
    """Yield trial points and return the worst corner's replacement with its loss; None if the simplex must shrink."""
    centroid = np.mean(corners[:-1], axis=0)
    away = centroid - corners[-1]
    reflected = centroid + moves.reflection * away
    reflected_loss = yield reflected
    if reflected_loss < losses[0]:
        expanded = centroid + moves.reflection * moves.expansion * away
        expanded_loss = yield expanded
        return (expanded, expanded_loss) if expanded_loss < reflected_loss else (reflected, reflected_loss)
    if reflected_loss < losses[-2]:
        return reflected, reflected_loss
    if reflected_loss < losses[-1]:
        outside = centroid + moves.contraction * moves.reflection * away
        outside_loss = yield outside
        return (outside, outside_loss) if outside_loss <= reflected_loss else None
    inside = centroid - moves.contraction * away
    inside_loss = yield inside
    return (inside, inside_loss) if inside_loss < losses[-1] else None


class _NelderMead(base.Optimizer):  # type: ignore[misc]  # nevergrad is not typed
    """Run the simplex behind nevergrad's ask and tell, in standardised space, from the centre."""

    no_parallelization = True

    def __init__(
        self,
        parametrization: Any,
        budget: int | None = None,
        num_workers: int = 1,
        *,
        step: float,
        adaptive: bool,
    ) -> None:
        super().__init__(parametrization, budget=budget, num_workers=num_workers)
        moves = Moves.of(self.dimension, adaptive=adaptive)
        self.diameters: list[float] = []
        self._points = nelder_mead(np.zeros(self.dimension), step=step, moves=moves, diameters=self.diameters)
        self._pending = next(self._points)
        self._candidates_of_pending: set[str] = set()

    def _internal_ask_candidate(self) -> Any:
        """Return the pending point as a new candidate, since nevergrad wants a new object each time."""
        candidate = self.parametrization.spawn_child().set_standardized_data(self._pending)
        self._candidates_of_pending.add(candidate.uid)
        return candidate

    def _internal_tell_candidate(self, candidate: Any, loss: float) -> None:
        """Move on from the pending point; ignore a second candidate for the same point."""
        if candidate.uid not in self._candidates_of_pending:
            return
        self._candidates_of_pending.clear()
        self._pending = self._points.send(loss)

    def _internal_tell_not_asked(self, candidate: Any, loss: float) -> None:
        """Ignore the point: nevergrad archives it, and the simplex must not be derailed."""


class NelderMeadFamily(base.ConfiguredOptimizer):  # type: ignore[misc]  # nevergrad is not typed
    """Create Nelder-Mead optimizers, like nevergrad's other families.

    `step` is the edge of the first simplex along each axis in standardised space, `adaptive` takes the
    coefficients of Gao and Han (2012). nevergrad demands defaults here; the project's YAML states both.
    """

    def __init__(self, *, step: float = 1.0, adaptive: bool = False) -> None:
        super().__init__(_NelderMead, {"step": step, "adaptive": adaptive})


def register() -> None:
    """Register the optimizer with nevergrad, once per process."""
    if REGISTERED_NAME not in nevergrad.optimizers.registry:
        NelderMeadFamily().set_name(REGISTERED_NAME, register=True)
