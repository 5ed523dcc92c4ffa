"""The statistics stage: what a method must know of experts beside their weights, measured on their training data."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from safetensors.torch import load_file, save_file
from torch import Tensor

from dfwe.config.instantiate import bind
from dfwe.config.tasks import Objective, Task, TaskMean, tasks_of
from dfwe.errors import ConfigurationError
from dfwe.families.base import ModelFamily
from dfwe.merging.base import MergeMethod, method_name
from dfwe.merging.mapped_weights import map_file
from dfwe.stages.base import Stage, Tell
from dfwe.stages.train import TrainStage, head_stages, parent_of
from dfwe.store.store import Entry, Store


@dataclass(frozen=True)
class StatisticsStage(Stage):
    """Measures experts on the train splits of the tasks they were last trained on, or else of `tasks`.

    One expert alone, unless the collector has to see all of them together; without experts the parent, on `tasks`.
    """

    kind: ClassVar[str] = "statistics"
    family: ModelFamily
    experts: tuple[TrainStage, ...]
    config: Mapping[str, Any]
    collector: Any  # one that the family accepts
    seed: int
    tasks: tuple[Task, ...] | None = None  # to measure on; None for those that each expert was last trained on

    @property
    def title(self) -> str:
        """Title in the user's words."""
        return f"statistics of {', '.join(expert.recipe.name for expert in self.experts) or self._parent_title}"

    def spec(self) -> dict[str, Any]:
        """Return the experts, the collector, the seed; the data are in the experts' digests."""
        return {
            "family": self.family.spec(),
            "experts": [expert.digest for expert in self.experts],
            "collector": dict(self.config),
            "seed": self.seed,
            **({} if self.tasks is None else {"tasks": [self.family.task_spec(task) for task in self.tasks]}),
        }

    @property
    def needs(self) -> tuple[Stage, ...]:
        """Parent, with its heads where itself is measured, and experts."""
        heads = () if self.experts else head_stages(self.family, self.tasks or ())
        return (*parent_of(self.family), *heads, *self.experts)

    def make(self, folder: Path, *, tell: Tell) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Write a file per expert, by the names of its tensors."""
        start, store = time.perf_counter(), self.family.context.store
        tasks = [self.tasks or expert.recipe.tasks for expert in self.experts] or [self.tasks or ()]
        models = [expert.model(expert.result(store)) for expert in self.experts] or [self.family.model(tasks[0])]
        models = [model.to(self.family.context.device) for model in models]
        measurements = self.family.statistics(self.collector, models, tasks=tasks, seed=self.seed, on_progress=tell)
        files = tuple(file_of(place) for place in range(len(measurements)))
        for file, tensors in zip(files, measurements, strict=True):
            save_file({name: tensor.float().cpu().contiguous() for name, tensor in tensors.items()}, folder / file)
        seconds = round(time.perf_counter() - start, 2)
        return {
            "examples": self.collector.examples,
            "tensors": [len(tensors) for tensors in measurements],
            "seconds": seconds,
        }, files

    def load(self, entry: Entry, *, on_disk: bool = False) -> tuple[Mapping[str, Tensor], ...]:
        """Load each expert's statistics by the names of tensors, or map their files."""
        read = map_file if on_disk else load_file
        return tuple(read(entry.file(file_of(place))) for place in range(len(self.experts) or 1))

    @property
    def _parent_title(self) -> str:
        return f"the parent on {', '.join(task.short for task in self.tasks or ())}"


def file_of(place: int) -> str:
    """Return the name of the file with the statistics of the stage's expert at that place."""
    return f"statistics_{place}.safetensors"


def statistics_stages(
    config: Mapping[str, Any] | None,
    *,
    method: MergeMethod,
    family: ModelFamily,
    experts: Mapping[str, TrainStage],
    objective: Objective,
    seed: int,
) -> tuple[StatisticsStage, ...]:
    """Return the stages that a merge's `statistics` ask for: one per expert in their order, or one for all.

    Experts are measured on the tasks that they were last trained on, or on all tasks of a mean ("Cuts and Stitches",
    Figure 3).

    Raises:
        ConfigurationError: the method needs statistics and there is no configuration of them, or the family cannot
            measure its models so.
    """
    if not method.properties.needs_statistics:
        return ()
    if not config:
        raise ConfigurationError(
            f"{method_name(method)} needs `merge.statistics`: what is collected of the experts, and how"
        )
    collector = bind(config)
    family.check_collector(collector)
    tasks = tasks_of(objective) if isinstance(objective, TaskMean) else None
    every = tuple(experts.values())
    sets = [every] if collector.together else [(expert,) for expert in every]
    return tuple(StatisticsStage(family, experts_of, config, collector, seed, tasks) for experts_of in sets)


def statistics_of(
    stages: Sequence[StatisticsStage], *, store: Store, on_disk: bool = False
) -> tuple[Mapping[str, Tensor], ...]:
    """Return the stages' statistics, one mapping per expert in their order, made now where the store has none."""
    return tuple(tensors for stage in stages for tensors in stage.load(stage.result(store), on_disk=on_disk))
