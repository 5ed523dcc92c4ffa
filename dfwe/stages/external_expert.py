"""The stage of an expert that was trained elsewhere: its weights come into the store as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from dfwe.config.tasks import Task
from dfwe.families.base import ModelFamily
from dfwe.merging.expert_array import save_weights
from dfwe.merging.files.tokenizers.aligned_vocabularies import align_rows, read_tokenizer
from dfwe.models.adapters import ADAPTER, AdapterContent, adapter_content
from dfwe.models.external import Align, ExternalModel, save_adapter
from dfwe.models.folders import ADAPTER_CONFIG
from dfwe.models.sources import cached_commit
from dfwe.stages.base import Stage
from dfwe.stages.train import WEIGHTS, HeadStage, parent_of
from dfwe.stages.untrained import UntrainedStage, untrained


@dataclass(frozen=True)
class ExternalExpert(UntrainedStage):
    """A model from elsewhere, whose weights are taken as they are."""

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
            **({"outputs": list(outputs)} if (outputs := self._outputs) else {}),
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

    def write_model(self, folder: Path) -> tuple[Any, tuple[str, ...], Mapping[str, Any]]:
        """Copy the weights, of a LoRA its factors.

        Raises:
            ModelError: the model does not fit the base model.
        """
        model = self.family.model((self.recipe.tasks[0],))
        self.family.copy_external(model, self.external, align=self._align() if self.aligns else None)
        facts = {"external": self.external.name, **cached_commit(self.external.identity)}
        return model, self._save(model, folder), facts

    @property
    def _outputs(self) -> tuple[str, ...]:
        """Answers of its outputs, where only the study puts them into the target's order."""
        return () if self.external.form == "model" else self.family.outputs_of(self.external)

    def _save(self, model: Any, folder: Path) -> tuple[str, ...]:
        network = self.family.plain_network(model)
        is_adapter = self.external.form == "adapter" and not self.aligns and not self._outputs
        if is_adapter and save_adapter(network, self.external, model=model, folder=folder):
            return ADAPTER, ADAPTER_CONFIG
        save_weights(model, folder / WEIGHTS)
        return (WEIGHTS,)

    def _align(self) -> Align:
        """Return what puts the model's rows into the order of the base model's tokens."""
        start = self.family.base_model.model_folder(self.family.context.store)
        return partial(align_rows, own=read_tokenizer(self.external.path), result=read_tokenizer(start))
