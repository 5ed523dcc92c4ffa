"""The baseline trained for as long as the whole study: whether it is the merging, or only the training."""

from __future__ import annotations

from dataclasses import dataclass

from dfwe.config.tasks import Task
from dfwe.stages.train import TrainStage
from dfwe.studies.baselines.base import Control, Surroundings


@dataclass(frozen=True)
class SameCompute(Control):
    """The parent on the target alone, for as many steps as all experts are allowed together; its best epoch is kept.

    Steps are counted as planned: early stopping may let the study itself do with fewer. It ends before them where as
    many epochs as a plain fine-tuning is allowed bring no gain on dev. Without this control the equally trained
    baseline is the expert of the target itself (`Standing.roles`).
    """

    def subject(self, study: Surroundings) -> TrainStage | str:
        """The longer training."""
        if not isinstance(study.target, Task):
            return "it trains on one target alone"
        stages = {stage.digest: stage for stage in (*study.trained.values(), *study.experts.values())}
        plain = study.workshop.baseline(study.target, seed=study.seed)
        num_epochs = plain.recipe.fit["epochs"]
        steps_per_epoch = plain.num_planned_steps / num_epochs
        num_steps = sum(stage.num_planned_steps for stage in stages.values())
        epochs = max(num_epochs, round(num_steps / steps_per_epoch))
        return study.workshop.baseline(study.target, seed=study.seed, epochs=epochs)
