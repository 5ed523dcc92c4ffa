"""The stage of a linear probe: the base model as it is, under a head that was fitted to its features."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from dfwe.config.tasks import Task
from dfwe.families.base import ModelFamily
from dfwe.merging.expert_array import save_weights
from dfwe.stages.base import Tell
from dfwe.stages.external_expert import answer_dev, untrained
from dfwe.stages.train import WEIGHTS, TrainStage


@dataclass(frozen=True)
class LinearProbeStage(TrainStage):
    """A training of no epochs: the head that all models start from, on the base model's frozen encoder."""

    kind: ClassVar[str] = "linear_probe"

    @classmethod
    def of(cls, family: ModelFamily, *, target: Task) -> LinearProbeStage:
        """Return the stage for the target; its family must fit heads first (`head_trainings`)."""
        return cls(family, untrained("linear probe", family=family, target=target), None, 0)

    @property
    def title(self) -> str:
        """Title in the user's words."""
        return f"linear probe of {self.recipe.tasks[0].short}"

    def spec(self) -> dict[str, Any]:
        """Return the base model and the head."""
        return {"family": self.family.spec(), "heads": [head.digest for head in self.heads]}

    @property
    def num_planned_steps(self) -> int:
        """No steps."""
        return 0

    def make(self, folder: Path, *, tell: Tell) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Write the model as trainings find it, and answer dev."""
        start = time.perf_counter()
        model = self.family.model(self.recipe.tasks)
        save_weights(model, folder / WEIGHTS)
        answers = answer_dev(self, model, folder=folder)
        seconds = round(time.perf_counter() - start, 2)
        return {"epochs": [], "best_epoch": 0, "criterion": "last", "seconds": seconds}, (WEIGHTS, *answers)
