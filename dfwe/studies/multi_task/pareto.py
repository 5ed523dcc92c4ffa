"""Which models no other is at least as good as on every task."""

from __future__ import annotations

from collections.abc import Mapping


def pareto_optimal(scores: Mapping[str, Mapping[str, float]]) -> tuple[str, ...]:
    """The names, in their order, of the models that no other dominates.

    A model dominates another if it scores at least as much on every task and more on one. "Cuts and Stitches" merges
    "the three Pareto-optimal multitask models" (Table 1, note).
    """
    return tuple(
        name
        for name, mine in scores.items()
        if not any(
            all(theirs[task] >= mine[task] for task in mine) and any(theirs[task] > mine[task] for task in mine)
            for other, theirs in scores.items()
            if other != name
        )
    )
