"""Criteria of selecting sources: the stages that they need, and how they score candidate tasks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dfwe.config.tasks import Task
from dfwe.stages.base import Stage
from dfwe.store.store import Store
from dfwe.studies.stage_factory import StageFactory

Part = tuple[str, Stage]


@dataclass(frozen=True)
class CriterionInputs:
    """Stages with their parts in a study, each after those it needs.

    Every candidate is compared with the `shared` ones; those `per_candidate` are by short name, without candidates of
    which nothing is known.
    """

    shared: tuple[Part, ...]
    per_candidate: Mapping[str, tuple[Part, ...]]

    def parts(self) -> Iterator[Part]:
        """Yield all of them."""
        yield from self.shared
        for parts in self.per_candidate.values():
            yield from parts

    def spec(self) -> dict[str, Any]:
        """Return the stages' digests, as JSON."""
        candidates = {name: [stage.digest for _, stage in parts] for name, parts in self.per_candidate.items()}
        return {"common": [stage.digest for _, stage in self.shared], "own": candidates}


class Criterion(ABC):
    """Scores how well candidates will serve a target; implementations are frozen dataclasses of their settings."""

    @abstractmethod
    def inputs(self, factory: StageFactory, *, target: Task, candidates: Sequence[Task], seed: int) -> CriterionInputs:
        """Return the stages to make before candidates can be scored; nothing runs here."""

    @abstractmethod
    def scores(self, inputs: CriterionInputs, *, store: Store) -> dict[str, float]:
        """Return finite scores by short name, higher is better, of the candidates that the inputs have.

        Raises:
            ConfigurationError: inputs without information, such as a gradient of zero.
        """
