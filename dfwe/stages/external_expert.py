"""The stage of an expert that was trained elsewhere: its weights come into the store as they are."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from dfwe.config.tasks import Task
from dfwe.families.base import ModelFamily, TrainingRecipe
from dfwe.merging.expert_array import save_weights
from dfwe.merging.files.tokenizers.aligned_vocabularies import align_rows, read_tokenizer
from dfwe.models.external import Align, ExternalModel
from dfwe.stages.base import Stage, Tell
from dfwe.stages.train import WEIGHTS, HeadStage, TrainStage, parent_of, write_dev_answers

_NO_TRAINING = {"epochs": 0, "patience": 0, "learning_rate": 0.0, "stop_on": "last"}


@dataclass(frozen=True)
class ExternalExpert(TrainStage):
    """A training of no epochs: the weights are those of a model from elsewhere, and dev is answered once."""

    kind: ClassVar[str] = "expert"
    external: ExternalModel
    aligns: bool = False  # rows of embeddings by tokens: the base model's tokenizer has others

    @classmethod
    def of(
        cls, name: str, *, external: ExternalModel, family: ModelFamily, target: Task, aligns: bool
    ) -> ExternalExpert:
        """Return the expert of that name, asked for the target."""
        recipe = TrainingRecipe(name, (target,), target, _NO_TRAINING, 1, family.options)
        return cls(family, recipe, None, 0, external, aligns)

    @property
    def title(self) -> str:
        """Title in the user's words."""
        return f"expert {self.recipe.name}"

    def spec(self) -> dict[str, Any]:
        """Return the base model, the digests of the model's files and the target."""
        assert self.recipe.objective is not None
        return {
            "family": self.family.spec(),
            "external": self.external.identity,
            "objective": self.family.task_spec(self.recipe.objective),
            **({"aligns": True} if self.aligns else {}),
        }

    @property
    def needs(self) -> tuple[Stage, ...]:
        """The base model's stages."""
        return parent_of(self.family)

    @property
    def heads(self) -> tuple[HeadStage, ...]:
        """None: it brings its own."""
        return ()

    @property
    def num_planned_steps(self) -> int:
        """No steps."""
        return 0

    def make(self, folder: Path, *, tell: Tell) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Copy the weights and answer dev.

        Raises:
            ModelError: the model does not fit the base model.
        """
        start, target = time.perf_counter(), self.recipe.objective
        assert target is not None
        model = self.family.model((self.recipe.tasks[0],))
        self.family.copy_external(model, self.external, align=self._align() if self.aligns else None)
        save_weights(model, folder / WEIGHTS)
        evaluation = self.family.scorer(target, split="dev")(model.to(self.family.context.device), exact=True)
        answers = write_dev_answers(folder, evaluation.predictions, label_scores=evaluation.label_scores)
        result = {
            "external": self.external.name,
            "epochs": [],
            "best_epoch": 0,
            "criterion": "last",
            "seconds": round(time.perf_counter() - start, 2),
        }
        return result, (WEIGHTS, *answers)

    def _align(self) -> Align:
        """Return what puts the model's rows into the order of the base model's tokens."""
        start = self.family.base_model.model_folder(self.family.context.store)
        return partial(align_rows, own=read_tokenizer(self.external.path), result=read_tokenizer(start))
