"""Searches over points that no loss changes: random mixtures, and every point of a grid."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from dfwe.errors import SearchError
from dfwe.records import Coefficients
from dfwe.search.base import Search
from dfwe.search.space import Range, Space
from dfwe.values.allowed import Count


class SequenceSearch(Search):
    """Evaluate the given points in their order, up to `batch_size` at once; losses change none of them.

    With `pruning` a candidate's evaluation may stop once it cannot be the best. The best one stays the same.
    """

    def __init__(
        self, points: Iterator[Float[np.ndarray, " dimensions"]], *, budget: int, pruning: bool, batch_size: int
    ) -> None:
        self.budget, self.batch_size, self.supports_pruning = budget, batch_size, pruning
        self._points = points

    def ask(self) -> Float[np.ndarray, " dimensions"] | None:
        """Return the next point; None after the last."""
        return next(self._points, None)

    def tell(self, point: Float[np.ndarray, " dimensions"], *, loss: float) -> None:
        """Ignore the loss."""


class Dirichlet(SequenceSearch):
    """Draw independently from the Dirichlet distribution with all concentrations 1: uniform over the simplex.

    Numbers with a range are drawn uniformly from it. Pruning and batch size do not change the best candidate, so
    their defaults are safe.
    """

    def __init__(self, space: Space, *, seed: int, budget: Count, pruning: bool = True, batch_size: Count = 1) -> None:
        generator = np.random.default_rng(seed)
        points = (space.point(space.draw(generator)) for _ in itertools.count())
        super().__init__(points, budget=budget, pruning=pruning, batch_size=batch_size)


class Grid(SequenceSearch):
    """Evaluate all coefficients that are multiples of 1 / `steps`, and `steps` + 1 even values of each range.

    Without `steps` it takes as many as the budget allows.

    On the simplex these are all compositions of `steps` into one part per expert, vertices included. Groups and
    settings are combined in full, the first value changing slowest. Pruning and batch size do not change the best.

    Raises:
        SearchError: there are more points than `budget`, the start included, which is always evaluated.
    """

    def __init__(
        self,
        space: Space,
        *,
        steps: Count | None,
        seed: int,
        budget: Count,
        pruning: bool = True,
        batch_size: Count = 1,
    ) -> None:
        steps = steps or _finest(space, budget=budget)
        evaluations = _num_evaluations(space, steps=steps)
        if evaluations > budget:
            size = "1 step" if steps == 1 else f"{steps} steps"
            advice = "raise the budget" if steps == 1 else "lower merge.search.steps, or raise the budget"
            raise SearchError(
                f"a grid of {size} over {len(space.names)} values takes {evaluations} evaluations, more than "
                f"merge.search.budget={budget}: {advice}"
            )
        points = (space.point(candidate) for candidate in lattice(space, steps=steps))
        super().__init__(points, budget=evaluations, pruning=pruning, batch_size=batch_size)


def lattice(space: Space, *, steps: int) -> Iterator[Coefficients]:
    """Yield the candidates of the lattice."""
    values = [np.linspace(setting.box.low, setting.box.high, steps + 1).tolist() for setting in space.settings]
    names = [setting.name for setting in space.settings]
    for rows in itertools.product(*(_rows(space, steps=steps) for _ in space.groups)):
        for settings in itertools.product(*values):
            yield space.candidate(np.array(rows), dict(zip(names, settings, strict=True)))


def compositions(steps: int, *, parts: int) -> Iterator[tuple[float, ...]]:
    """Yield every way to give `steps` shares of 1 / `steps` to the parts."""
    for bars in itertools.combinations(range(steps + parts - 1), parts - 1):
        ends = (-1, *bars, steps + parts - 1)
        yield tuple((after - before - 1) / steps for before, after in itertools.pairwise(ends))


def _rows(space: Space, *, steps: int) -> Iterator[tuple[float, ...]]:
    """Yield the coefficients of one group."""
    num = len(space.experts)
    if space.box is None:
        return compositions(steps, parts=num)
    return itertools.product(np.linspace(space.box.low, space.box.high, steps + 1).tolist(), repeat=num)


def _finest(space: Space, *, budget: int) -> int:
    """Return the most steps that the budget allows, at least 1."""
    return max((steps for steps in range(1, budget + 1) if _num_evaluations(space, steps=steps) <= budget), default=1)


def _num_evaluations(space: Space, *, steps: int) -> int:
    """Count the points of the lattice, and the start unless it is one of them."""
    num, groups = len(space.experts), len(space.groups)
    row = math.comb(steps + num - 1, num - 1) if space.box is None else (steps + 1) ** num
    points: int = row**groups * (steps + 1) ** len(space.settings)
    ranges = [(setting.box, setting.start) for setting in space.settings]
    ranges += [(space.box, 1 / num)] if space.box is not None else []
    contains_uniform = space.box is not None or steps % num == 0
    return points if contains_uniform and all(_is_step(box, start, steps) for box, start in ranges) else points + 1


def _is_step(box: Range, value: float, steps: int) -> bool:
    step = (value - box.low) / (box.high - box.low) * steps
    return math.isclose(step, round(step), abs_tol=1e-9)
