"""The stage of a linear probe: the base model as it is, under a head that was fitted to its features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from dfwe.config.tasks import Task
from dfwe.families.base import ModelFamily
from dfwe.merging.expert_array import save_weights
from dfwe.stages.train import WEIGHTS
from dfwe.stages.untrained import UntrainedStage, untrained


@dataclass(frozen=True)
class LinearProbeStage(UntrainedStage):
    """The head that all models start from, on the base model's frozen encoder."""

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

    def write_model(self, folder: Path) -> tuple[Any, tuple[str, ...], Mapping[str, Any]]:
        """Write the model as trainings find it."""
        model = self.family.model(self.recipe.tasks)
        save_weights(model, folder / WEIGHTS)
        return model, (WEIGHTS,), {}
