"""The straight lines between experts: the dev scores of their mixtures, two by two, and the barriers there."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from dfwe.config.tasks import Objective, tasks_of
from dfwe.errors import ConfigurationError
from dfwe.families.base import ModelFamily
from dfwe.merging.methods.linear import Linear
from dfwe.metrics.barrier import ExpertPath
from dfwe.search.space import Space
from dfwe.stages.base import Stage, Tell
from dfwe.stages.diagnostics.base import Diagnostic, DiagnosticResult, DiagnosticStage
from dfwe.stages.merge import MergeStage
from dfwe.stages.train import TrainStage, expert_array, parent_of
from dfwe.training.weight_search import Candidate
from dfwe.values.allowed import Count


@dataclass(frozen=True)
class Interpolation(Diagnostic):
    """The linear mixtures at `points` shares between every two of a merge's experts.

    Raises:
        ConfigurationError: less than one point.
    """

    points: Count

    def __post_init__(self) -> None:
        if self.points < 1:
            raise ConfigurationError(
                f"conf/diagnostic/interpolation.yaml: points must be at least 1, not {self.points}"
            )

    def stages(self, merge: MergeStage) -> tuple[DiagnosticStage, ...]:
        """Return one per pair: other merges of the same experts, in a sweep too, have those pairs in common."""
        pairs = combinations(merge.experts.values(), 2)
        return tuple(PairStage(merge.family, merge.target, *pair, self.points, merge.on_disk) for pair in pairs)

    def result(
        self, merge: MergeStage, *, cards: Sequence[Mapping[str, Any]], dev: Mapping[str, float | None]
    ) -> DiagnosticResult:
        """Return each pair's points and its barrier; shares are the second expert's."""
        lines = lines_between(merge, cards=cards)
        return DiagnosticResult(
            of_study={"interpolations": [{**line, "barrier": ExpertPath.of(line).barrier} for line in lines]}
        )


def lines_between(merge: MergeStage, *, cards: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return each pair of experts with the points between them, from the cards of their stages."""
    pairs = combinations(merge.experts, 2)
    return [{"a": a, "b": b, "points": card["points"]} for (a, b), card in zip(pairs, cards, strict=True)]


@dataclass(frozen=True)
class PairStage(DiagnosticStage):
    """Evaluates mixtures of two experts, evenly spaced between them."""

    diagnostic: ClassVar[str] = "interpolation"
    family: ModelFamily
    target: Objective
    first: TrainStage
    second: TrainStage
    points: Count
    on_disk: bool = field(default=False, compare=False)  # where the experts' weights stay

    @property
    def title(self) -> str:
        """Title in the user's words."""
        return f"mixtures of {self.first.title} and {self.second.title}"

    def spec(self) -> dict[str, Any]:
        """Return the two experts, the points, the task."""
        return {
            "probe": self.diagnostic,
            "family": self.family.spec(),
            "experts": [self.first.digest, self.second.digest],
            "points": self.points,
            "target": self.family.task_spec(self.target),
        }

    @property
    def needs(self) -> tuple[Stage, ...]:
        """Parent and the two experts."""
        return (*parent_of(self.family), self.first, self.second)

    def make(self, folder: Path, *, tell: Tell) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Evaluate each point; the ends are what training measured of the experts."""
        start = time.perf_counter()
        between = []
        for number, point in enumerate(self._between(), start=1):
            between.append(point)
            tell(number / self.points)
        ends = [
            {"share": share, "dev": expert.dev(expert.result(self.family.context.store)).scores["score"]}
            for share, expert in ((0.0, self.first), (1.0, self.second))
        ]
        answers = len(between) * len(self.family.instances(self.target, split="dev"))
        seconds = round(time.perf_counter() - start, 2)
        return {"points": [ends[0], *between, ends[1]], "dev_answers": answers, "seconds": seconds}, ()

    def _between(self) -> Iterator[dict[str, float | None]]:
        """Yield the points but for the ends; approximated (bfloat16) where training, which scored the ends, did so."""
        scorer = self.family.scorer(self.target, split="dev")
        model = self.family.on_device(self.family.model(tasks_of(self.target)))
        experts = {"first": self.first, "second": self.second}
        array = expert_array(experts, model=model, family=self.family, needs_parent=False, on_disk=self.on_disk)
        space = Space(tuple(experts))
        candidate = Candidate(model, experts=array, method=Linear(), groups=None, space=space)
        for number in range(1, self.points + 1):
            share = number / (self.points + 1)
            mixture = candidate.at(space.candidate(np.array([[1.0 - share, share]])))
            yield {"share": share, "dev": scorer(mixture).scores["score"]}
