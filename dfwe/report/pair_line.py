"""The line between two experts, and the barrier on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class PairLine:
    """Dev scores, fractions, of mixtures of two experts; `shares` are the second's, rising.

    A score that is undefined is left out.
    """

    first: str
    second: str
    shares: tuple[float, ...]
    scores: tuple[float, ...]

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> PairLine:
        """That of one of the results' `interpolations`."""
        points = sorted(
            (float(each["share"]), float(each["dev"])) for each in found["points"] if each["dev"] is not None
        )
        return cls(found["a"], found["b"], tuple(share for share, _ in points), tuple(score for _, score in points))

    @property
    def falls(self) -> tuple[float, ...] | None:
        """By how much each mixture scores less than the straight line between the ends; None where one is undefined."""
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
        return None if self.falls is None else max(0.0, *self.falls)
