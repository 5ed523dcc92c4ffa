"""What a criterion of choice is: what it has to know of candidate tasks, and how it scores them."""

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

    `common` is what every candidate is compared with, `own` what each candidate brings, by short name; a candidate of
    which nothing is known is not in it.
    """

    common: tuple[Part, ...]
    own: Mapping[str, tuple[Part, ...]]

    def parts(self) -> Iterator[Part]:
        """All of them."""
        yield from self.common
        for parts in self.own.values():
            yield from parts

    def spec(self) -> dict[str, Any]:
        """The stages' digests, as JSON."""
        own = {name: [stage.digest for _, stage in parts] for name, parts in self.own.items()}
        return {"common": [stage.digest for _, stage in self.common], "own": own}


class Criterion(ABC):
    """Tells how well candidates will serve a target; implementations are frozen dataclasses of their settings."""

    @abstractmethod
    def evidence(
        self, factory: StageFactory, *, target: Task, candidates: Sequence[Task], seed: int
    ) -> CriterionInputs:
        """What has to be made before candidates can be scored; nothing runs here."""

    @abstractmethod
    def scores(self, evidence: CriterionInputs, *, store: Store) -> dict[str, float]:
        """Finite scores by short name, higher is better, of the candidates that the evidence knows.

        Raises:
            ConfigurationError: evidence that tells nothing, such as a gradient of zero.
        """
