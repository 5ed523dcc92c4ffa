"""The affinity stage: what a collector measures of the parent on one task's training examples."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from safetensors.torch import save_file

from dfwe.config.tasks import Task
from dfwe.families.base import ModelFamily
from dfwe.families.statistics.base import Collector
from dfwe.seeding import derive
from dfwe.stages.base import Stage, Tell
from dfwe.stages.train import head_stages, parent_of

MEASURED = "measured.safetensors"


@dataclass(frozen=True)
class AffinityStage(Stage):
    """Measures the parent on a draw of the task's train split; the same for every target."""

    kind: ClassVar[str] = "affinity"
    family: ModelFamily
    task: Task
    collector: Collector
    seed: int

    @property
    def title(self) -> str:
        """Title in the user's words."""
        return f"{type(self.collector).__name__} of {self.task.short}"

    def spec(self) -> dict[str, Any]:
        """Return the parent, the task and its data, the collector, the seed."""
        kind = type(self.collector)
        return {
            "family": self.family.spec(),
            "task": self.family.task_spec(self.task),
            "collector": {"_target_": f"{kind.__module__}.{kind.__qualname__}", **asdict(self.collector)},  # type: ignore[call-overload]
            "seed": self.seed,
        }

    @property
    def needs(self) -> tuple[Stage, ...]:
        """Parent, and the head of the task."""
        return (*parent_of(self.family), *head_stages(self.family, (self.task,)))

    def make(self, folder: Path, *, tell: Tell) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Write the measurement by the names of the parent's tensors."""
        start = time.perf_counter()
        model = self.family.model((self.task,)).to(self.family.context.device)
        seed = derive(self.seed, "affinity")
        (measurement,) = self.family.statistics(
            self.collector, [model], tasks=[(self.task,)], seed=seed, on_progress=tell
        )
        save_file({name: tensor.float().cpu().contiguous() for name, tensor in measurement.items()}, folder / MEASURED)
        seconds = round(time.perf_counter() - start, 2)
        return {"task": self.task.name, "examples": self.collector.examples, "seconds": seconds}, (MEASURED,)
