"""The ensemble of the experts' answers: what merging weights is an approximation of, at n times the cost."""

from __future__ import annotations

from dataclasses import dataclass

from dfwe.config.tasks import Task
from dfwe.stages.ensemble import EnsembleStage
from dfwe.studies.baselines.base import Control, Surroundings


@dataclass(frozen=True)
class Ensemble(Control):
    """The label that the experts together find likeliest, each of them as likely right."""

    def subject(self, study: Surroundings) -> EnsembleStage | str:
        """The stage over the experts' own evaluations."""
        family, target = study.workshop.family, study.target
        if not isinstance(target, Task):
            return "answers to several tasks cannot be averaged"
        if family.decoding(target) not in ("labels", "candidates"):
            return "answers in free text cannot be averaged"
        tested = {name: study.workshop.evaluation(stage, target=target) for name, stage in study.experts.items()}
        return EnsembleStage(family, dict(study.experts), tested, target)
