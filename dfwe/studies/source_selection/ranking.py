"""Rank candidates by the scores of several criteria."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dfwe.errors import ConfigurationError


@dataclass(frozen=True)
class RankedCandidate:
    """A candidate's place: the mean of its ranks, in (0, 1), lower is better; scores by criterion."""

    task: str
    rank: float
    scores: Mapping[str, float]


def ranking(scores: Mapping[str, Mapping[str, float]], *, candidates: tuple[str, ...]) -> tuple[RankedCandidate, ...]:
    """Rank the candidates that some criterion knows, the best first, equals by name; `scores` are by criterion.

    A candidate's rank is the mean over the criteria that know it: scores of different criteria have nothing in common,
    and a criterion that knows few candidates must not hold that against the others.
    """
    ranks = {criterion: relative_ranks(by_task) for criterion, by_task in scores.items()}
    ranked = []
    for task in sorted(candidates):
        of_task = {criterion: by_task[task] for criterion, by_task in scores.items() if task in by_task}
        if of_task:
            rank = sum(ranks[criterion][task] for criterion in of_task) / len(of_task)
            ranked.append(RankedCandidate(task, rank, of_task))
    return tuple(sorted(ranked, key=lambda candidate: candidate.rank))


def relative_ranks(scores: Mapping[str, float]) -> dict[str, float]:
    """Return (rank - 1/2) / number: of two 0.25 and 0.75, of one 0.5; equals share their mean."""
    values = list(scores.values())
    return {
        task: (sum(other > score for other in values) + 0.5 * sum(other == score for other in values)) / len(values)
        for task, score in scores.items()
    }


def best(ranked: tuple[RankedCandidate, ...], *, number: int, candidates: tuple[str, ...]) -> tuple[str, ...]:
    """Return the best `number` candidates, in the order of their names.

    An order of sources is part of a mixture: in this one the choice shares its experts with a sweep over subsets.

    Raises:
        ConfigurationError: fewer are known.
    """
    if len(ranked) < number:
        unknown = sorted(set(candidates) - {candidate.task for candidate in ranked})
        raise ConfigurationError(
            f"source_selection.number is {number}, but no criterion knows anything of {', '.join(unknown)}: add one "
            "that measures every candidate (source_selection=[transfer,gradients]), or train the missing experts "
            "(source_selection.by.transfer.train=true)"
        )
    return tuple(sorted(candidate.task for candidate in ranked[:number]))
