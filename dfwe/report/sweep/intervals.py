"""Average differences over targets and seeds, with an interval that holds what it says where there are few of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev, variance

from dfwe.metrics.statistics import LEVEL

Ends = tuple[float, float]


@dataclass(frozen=True)
class Difference:
    """Hold a difference of test scores of one seed; its error and interval are over the test split, None if unknown."""

    value: float
    error: float | None = None
    ends: Sequence[float] | None = None


@dataclass(frozen=True)
class MeanDifference:
    """Hold the mean over targets of means over seeds, its 95 % interval, and on how many targets it is above 0."""

    value: float
    ends: Ends | None
    num_above: int
    num_targets: int

    @classmethod
    def of(cls, by_target: Mapping[str, Sequence[Difference]]) -> MeanDifference:
        """Average at least one difference.

        Of several targets the interval is Student's over their means, which are independent: it has what targets, seeds
        and test instances add. A bootstrap over so few targets is too narrow (docs/statistics.md). Of one target it is
        `_over_seeds`.
        """
        means = [fmean(difference.value for difference in differences) for differences in by_target.values()]
        if len(means) > 1:
            error = stdev(means) / math.sqrt(len(means))
            ends: Ends | None = _around(fmean(means), error, degrees=len(means) - 1)
        else:
            ends = _over_seeds(next(iter(by_target.values())))
        return cls(fmean(means), ends, sum(mean > 0 for mean in means), len(means))


def _over_seeds(differences: Sequence[Difference]) -> Ends | None:
    """Return the interval of one target's mean over seeds, None where an error over the test split is unknown.

    Seeds share the test instances, so that their mean has the variance between seeds by their number, and that of
    the instances whole; degrees of freedom are Satterthwaite's (1946). One seed has its own interval.
    """
    if len(differences) == 1:
        return None if differences[0].ends is None else (differences[0].ends[0], differences[0].ends[1])
    errors = [difference.error for difference in differences if difference.error is not None]
    if len(errors) < len(differences):
        return None
    values = [difference.value for difference in differences]
    of_seeds, of_instances = variance(values) / len(values), fmean(error**2 for error in errors)
    whole = of_seeds + of_instances
    degrees = (len(values) - 1) * (whole / of_seeds) ** 2 if of_seeds else math.inf
    return _around(fmean(values), math.sqrt(whole), degrees=degrees)


def _around(mean: float, error: float, *, degrees: float) -> Ends:
    from scipy.special import stdtrit  # a tenth of a second, where no table needs it

    half = float(stdtrit(min(degrees, 1e9), (1.0 + LEVEL) / 2.0)) * error
    return mean - half, mean + half
