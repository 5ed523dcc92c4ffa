"""Barriers between two experts: by how much mixtures of them score less than they do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ExpertPath:
    """Hold dev scores, fractions, of mixtures of two experts; `shares` are the second's, rising.

    A score that is undefined is left out.
    """

    first: str
    second: str
    shares: tuple[float, ...]
    scores: tuple[float, ...]

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> ExpertPath:
        """Read one of the results' `interpolations`."""
        defined = [point for point in record["points"] if point["dev"] is not None]
        points = sorted((float(point["share"]), float(point["dev"])) for point in defined)
        shares, scores = (tuple(point[place] for point in points) for place in (0, 1))
        return cls(record["a"], record["b"], shares, scores)

    @property
    def losses(self) -> tuple[float, ...] | None:
        """Distances of the scores below the straight line between the ends; None where an end is undefined."""
        if self.shares[:1] != (0.0,) or self.shares[-1:] != (1.0,):
            return None
        start, end = self.scores[0], self.scores[-1]
        straight = [start + share * (end - start) for share in self.shares]  # exact where both ends are equal
        return tuple(line - score for line, score in zip(straight, self.scores, strict=True))

    @property
    def barrier(self) -> float | None:
        """The most by which a mixture scores less than the straight line between the two experts; 0 where none does.

        Entezari et al. (2022), The Role of Permutation Invariance in Linear Mode Connectivity, equation 1, with scores
        in place of losses, at these shares alone: max over s of (1 - s) f(0) + s f(1) - f(s). Frankle et al. (2020),
        Linear Mode Connectivity, have the ends' mean in place of the line. None where an end is undefined.
        """
        return None if self.losses is None else max(0.0, *self.losses)

    @property
    def middle_barrier(self) -> float | None:
        """Distance of the middle below the straight line (Frankle et al. 2020); None where a score is undefined."""
        losses = dict(zip(self.shares, self.losses or (), strict=False))
        return losses.get(0.5)
