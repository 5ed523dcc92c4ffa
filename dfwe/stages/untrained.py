"""The stage of a model that nothing is trained for: its weights are found, and it answers dev once."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from dfwe.config.tasks import Task
from dfwe.families.base import ModelFamily, TrainingRecipe
from dfwe.stages.base import Tell
from dfwe.stages.train import TrainStage, write_dev_answers

_NO_TRAINING = {"epochs": 0, "patience": 0, "learning_rate": 0.0, "stop_on": "last"}


@dataclass(frozen=True)
class UntrainedStage(TrainStage):
    """A training of no epochs, beside those that are trained: rows, merges and exports take it as they take these."""

    trains: ClassVar[bool] = False

    @property
    def num_planned_steps(self) -> int:
        """No steps."""
        return 0

    @abstractmethod
    def write_model(self, folder: Path) -> tuple[Any, tuple[str, ...], Mapping[str, Any]]:
        """Write the weights into the folder; return the model, the files' names, and what the card says of it."""

    def make(self, folder: Path, *, tell: Tell) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Write the weights, and let the model answer dev, exactly; errors as of `write_model`."""
        start, family, target = time.perf_counter(), self.family, self.recipe.objective
        assert target is not None
        model, files, facts = self.write_model(folder)
        evaluation = family.scorer(target, split="dev")(family.on_device(model), exact=True)
        answers = write_dev_answers(folder, evaluation.predictions, label_scores=evaluation.label_scores)
        seconds = round(time.perf_counter() - start, 2)
        return {**facts, "epochs": [], "best_epoch": 0, "criterion": "last", "seconds": seconds}, (*files, *answers)


def untrained(name: str, *, family: ModelFamily, target: Task) -> TrainingRecipe:
    """Return the recipe of a model that is not trained here, and asked for the target."""
    return TrainingRecipe(name, (target,), target, _NO_TRAINING, 1, family.options)
