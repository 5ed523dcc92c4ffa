"""How connected experts are: what the middle between two of them scores beside both, and their mean weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import median
from typing import Any

from dfwe.errors import ConfigurationError
from dfwe.metrics.barrier import ExpertPath
from dfwe.stages.diagnostics.base import Diagnostic, DiagnosticResult, DiagnosticStage
from dfwe.stages.diagnostics.interpolation import Interpolation, lines_between
from dfwe.stages.merge import MergeStage
from dfwe.values.allowed import Count, NonNegative, Share
from dfwe.values.names import BASELINE, UNIFORM


@dataclass(frozen=True)
class Connectedness(Diagnostic):
    """The barrier at the middle of every line between two experts, and the uniform merge beside the baseline, on dev.

    Its stages are those of `Interpolation` with as many `points`, an odd number. A barrier is the mean of both ends'
    scores less that of the middle (Frankle et al. 2020, with scores in place of errors), so it is negative
    where the middle is better. `ExpertPath.barrier` is the largest over all points, and never below 0. A study warns of
    a median above `max_barrier`, and of a uniform merge that is more than `max_uniform_loss` below the baseline; both
    by more than `standard_errors` of a dev score. Epochs of experts and baseline were chosen on dev and those of
    mixtures were not, so that few instances of dev make experts look less connected than they are.

    Raises:
        ConfigurationError: an even number of points.
    """

    points: Count
    max_barrier: Share
    max_uniform_loss: Share
    standard_errors: NonNegative

    def __post_init__(self) -> None:
        if self.points % 2 == 0:
            raise ConfigurationError(
                f"conf/diagnostic/connectedness.yaml: points must be odd, not {self.points}: the middle is one of them"
            )

    def stages(self, merge: MergeStage) -> tuple[DiagnosticStage, ...]:
        """Return one per pair, shared with `Interpolation`."""
        return Interpolation(self.points).stages(merge)

    def result(
        self, merge: MergeStage, *, cards: Sequence[Mapping[str, Any]], dev: Mapping[str, float | None]
    ) -> DiagnosticResult:
        """Return the median and the largest barrier; a pair with an undefined score is left out."""
        paths = map(ExpertPath.of, lines_between(merge, cards=cards))
        barriers = [barrier for path in paths if (barrier := path.middle_barrier) is not None]
        middle = median(barriers) if barriers else None
        noise = self.standard_errors * _standard_error(len(merge.family.instances(merge.target, split="dev")))
        record = {
            "median_barrier": middle,
            "largest_barrier": max(barriers, default=None),
            "uniform_minus_baseline": _less(dev.get(UNIFORM), dev.get(BASELINE)),
            "num_pairs": len(barriers),
            "limits": {
                "median_barrier": self.max_barrier + noise,
                "uniform_minus_baseline": -self.max_uniform_loss - noise,
            },
        }
        return DiagnosticResult(of_merge={"median_barrier": middle}, of_study={"connectedness": record})


def _standard_error(num_instances: int) -> float:
    """Return the largest standard error that a share of so many instances can have: that of one half."""
    return 0.5 / sqrt(num_instances)


def _less(score: float | None, other: float | None) -> float | None:
    return None if score is None or other is None else score - other
