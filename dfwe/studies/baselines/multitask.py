"""Multitask training alone: one model trained on the target and all sources together, neither fine-tuned nor merged."""

from __future__ import annotations

from dataclasses import dataclass

from dfwe.stages.train import TrainStage
from dfwe.studies.baselines.base import Control, Surroundings
from dfwe.values.names import MIXTURE


@dataclass(frozen=True)
class Multitask(Control):
    """The expert on {t} and S as it was before its fine-tuning."""

    def subject(self, study: Surroundings) -> TrainStage | str:
        """Its training, which the study has anyway."""
        if study.trained is study.experts:
            return "experts are not fine-tuned, so it is one of them"
        return study.trained[MIXTURE]
