"""Every point of a lattice, in order."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from dfwe.errors import SearchError
from dfwe.records import Coefficients
from dfwe.search.asked import Race
from dfwe.search.sampled import Sampled
from dfwe.search.space import Range, Space
from dfwe.values.allowed import Count


class Grid(Sampled):
    """All coefficients that are multiples of 1 / `steps`, and `steps` + 1 even values of whatever has a box.

    Without `steps` it takes as many as the budget allows.

    On the simplex: all compositions of `steps` into one part an expert, vertices among them; groups and settings are
    combined in full. The order is that of the alphabet, the first value slowest. With `race` a candidate's evaluation
    may be stopped once it cannot be the best: the best is the same, and any number of `asks` at once finds it.

    Raises:
        SearchError: `steps` or `asks` is below 1, `race` is neither true nor false, or there are more points than
            `budget`, with the start, which is always evaluated; without `steps`: already with one.
    """

    def __init__(
        self,
        space: Space,
        *,
        steps: Count | None,
        seed: int,
        budget: Count,
        race: Race = True,
        asks: Count = 1,
    ) -> None:
        if steps is not None and steps < 1:
            raise SearchError(f"merge.search.steps must be at least 1, not {steps}")
        steps = steps or _finest(space, budget=budget)
        evaluations = _num_evaluations(space, steps=steps)
        if evaluations > budget:
            size = "1 step" if steps == 1 else f"{steps} steps"
            advice = "raise the budget" if steps == 1 else "take fewer merge.search.steps, or raise the budget"
            raise SearchError(
                f"a grid of {size} over {len(space.names)} values takes {evaluations} evaluations, more than "
                f"merge.search.budget={budget}: {advice}"
            )
        points = (space.point(candidate) for candidate in lattice(space, steps=steps))
        super().__init__(lambda: next(points, None), budget=evaluations, race=race, asks=asks)


def lattice(space: Space, *, steps: int) -> Iterator[Coefficients]:
    """The lattice's candidates, made as they are needed."""
    values = [np.linspace(setting.box.low, setting.box.high, steps + 1).tolist() for setting in space.settings]
    names = [setting.name for setting in space.settings]
    for rows in itertools.product(*(_rows(space, steps=steps) for _ in space.groups)):
        for others in itertools.product(*values):
            yield space.candidate(np.array(rows), dict(zip(names, others, strict=True)))


def compositions(steps: int, *, parts: int) -> Iterator[tuple[float, ...]]:
    """Every way to give `steps` shares of 1 / `steps` to the parts."""
    for bars in itertools.combinations(range(steps + parts - 1), parts - 1):
        ends = (-1, *bars, steps + parts - 1)
        yield tuple((after - before - 1) / steps for before, after in itertools.pairwise(ends))


def _rows(space: Space, *, steps: int) -> Iterator[tuple[float, ...]]:
    """One group's coefficients."""
    num = len(space.experts)
    if space.box is None:
        return compositions(steps, parts=num)
    return itertools.product(np.linspace(space.box.low, space.box.high, steps + 1).tolist(), repeat=num)


def _finest(space: Space, *, budget: int) -> int:
    """The most steps that the budget allows, at least 1."""
    return max((steps for steps in range(1, budget + 1) if _num_evaluations(space, steps=steps) <= budget), default=1)


def _num_evaluations(space: Space, *, steps: int) -> int:
    """The lattice's points, and one for the start where it is none of them."""
    num, groups = len(space.experts), len(space.groups)
    row = math.comb(steps + num - 1, num - 1) if space.box is None else (steps + 1) ** num
    points: int = row**groups * (steps + 1) ** len(space.settings)
    sides = [(setting.box, setting.start) for setting in space.settings]
    sides += [(space.box, 1 / num)] if space.box is not None else []
    holds_equal = space.box is not None or steps % num == 0
    return points if holds_equal and all(_is_step(box, start, steps) for box, start in sides) else points + 1


def _is_step(box: Range, value: float, steps: int) -> bool:
    place = (value - box.low) / (box.high - box.low) * steps
    return math.isclose(place, round(place), abs_tol=1e-9)
