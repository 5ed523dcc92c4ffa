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
from dfwe.models.adapters import ADAPTER, AdapterContent, adapter_content
from dfwe.models.external import Align, ExternalModel, save_adapter
from dfwe.models.folders import ADAPTER_CONFIG
from dfwe.stages.base import Stage, Tell
from dfwe.stages.train import WEIGHTS, HeadStage, TrainStage, parent_of, write_dev_answers

_NO_TRAINING = {"epochs": 0, "patience": 0, "learning_rate": 0.0, "stop_on": "last"}


def untrained(name: str, *, family: ModelFamily, target: Task) -> TrainingRecipe:
    """Return the recipe of a model that is not trained here, and asked for the target."""
    return TrainingRecipe(name, (target,), target, _NO_TRAINING, 1, family.options)


def answer_dev(stage: TrainStage, model: Any, *, folder: Path) -> tuple[str, ...]:
    """Let the model of a stage without training answer dev, exactly; return the names of the files."""
    target, family = stage.recipe.objective, stage.family
    assert target is not None
    evaluation = family.scorer(target, split="dev")(family.on_device(model), exact=True)
    return write_dev_answers(folder, evaluation.predictions, label_scores=evaluation.label_scores)


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
        return cls(family, untrained(name, family=family, target=target), None, 0, external, aligns)

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
    def adapter(self) -> AdapterContent | None:
        """Content of the user's folder, if it is an adapter's."""
        return adapter_content(self.external.path) if self.external.form == "adapter" else None

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
        """Copy the weights, of a LoRA its factors, and answer dev.

        Raises:
            ModelError: the model does not fit the base model.
        """
        start = time.perf_counter()
        model = self.family.model((self.recipe.tasks[0],))
        self.family.copy_external(model, self.external, align=self._align() if self.aligns else None)
        files = self._save(model, folder)
        answers = answer_dev(self, model, folder=folder)
        result = {
            "external": self.external.name,
            "epochs": [],
            "best_epoch": 0,
            "criterion": "last",
            "seconds": round(time.perf_counter() - start, 2),
        }
        return result, (*files, *answers)

    def _save(self, model: Any, folder: Path) -> tuple[str, ...]:
        network = self.family.plain_network(model)
        is_adapter = self.external.form == "adapter" and not self.aligns
        if is_adapter and save_adapter(network, self.external, model=model, folder=folder):
            return ADAPTER, ADAPTER_CONFIG
        save_weights(model, folder / WEIGHTS)
        return (WEIGHTS,)

    def _align(self) -> Align:
        """Return what puts the model's rows into the order of the base model's tokens."""
        start = self.family.base_model.model_folder(self.family.context.store)
        return partial(align_rows, own=read_tokenizer(self.external.path), result=read_tokenizer(start))
