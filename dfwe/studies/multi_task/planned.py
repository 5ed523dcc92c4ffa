"""What is known of a multitask study before it runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from omegaconf import DictConfig

from dfwe.families.base import ModelFamily
from dfwe.run_multi_task import Merging, plan_merging
from dfwe.stages.base import Stage
from dfwe.studies.multi_task.merges import check_merges
from dfwe.studies.multi_task.plan import MultitaskStudy, plan_multitask


@dataclass(frozen=True)
class PlannedMultitask:
    """The trainings, and what follows once the store has them all: dev scores decide what is merged."""

    study: MultitaskStudy
    merging: Merging | None

    @classmethod
    def of(cls, config: DictConfig) -> PlannedMultitask:
        """That of a composed configuration; raises what planning the study raises."""
        study = plan_multitask(config)
        check_merges(study)
        trained = all(stage.find(study.family.context.store) for _, stage in study.trainings())
        return cls(study, plan_merging(study) if trained else None)

    @property
    def family(self) -> ModelFamily:
        """What its stages share."""
        return self.study.family

    @property
    def undecided(self) -> bool:
        """Whether stages are left out that depend on others' results."""
        return self.merging is None

    def parts(self) -> Iterator[tuple[str, Stage]]:
        """Every stage that is known with its part."""
        yield from self.study.trainings()
        if self.merging is not None:
            yield from self.merging.stages()
