"""Compute means over jobs of one setting, and how they spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from dfwe.report.sweep.jobs import Group, without_common

SCORES = ("test", "delta", "dev", "baseline")


@dataclass(frozen=True)
class Spread:
    """Hold a mean, and the standard deviation around it (of a sample; None of one value); fractions."""

    mean: float
    deviation: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Compute that of at least one value."""
        return cls(fmean(values), stdev(values) if len(values) > 1 else None)


def spreads(jobs: Group) -> dict[str, Spread]:
    """Return mean and spread of each of `SCORES` over jobs of one setting."""
    return {score: Spread.of([getattr(job, score) for job in jobs]) for score in SCORES}


def differing(groups: Sequence[Group]) -> list[tuple[str, ...]]:
    """Return of each group the settings that not all groups have."""
    return without_common([group[0].settings for group in groups])
