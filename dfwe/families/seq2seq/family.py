"""The family of encoder-decoders (`AutoModelForSeq2SeqLM`): tasks are texts, answers are texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pytorch_lightning as pl
from torch import nn
from transformers import PreTrainedModel

from dfwe.config.instantiate import bind
from dfwe.config.tasks import Task
from dfwe.errors import ConfigurationError
from dfwe.families.base import TrainingRecipe
from dfwe.families.seq2seq.calibration import Seq2SeqExample
from dfwe.families.seq2seq.inference.asking import Seq2SeqInference
from dfwe.families.seq2seq.model import TextToText, fresh_parameters, load_model
from dfwe.families.text.datamodule import IGNORE
from dfwe.families.text.family import TextFamily
from dfwe.families.tokens import pad


@dataclass(frozen=True)
class Seq2SeqFamily(TextFamily):
    """Models whose encoder reads a task's prompt and whose decoder writes, or chooses, its answer."""

    name: ClassVar[str] = "seq2seq"
    auto_class: ClassVar[str] = "AutoModelForSeq2SeqLM"
    example: ClassVar[type[Seq2SeqExample]] = Seq2SeqExample

    @staticmethod
    def adapt(task: Task) -> Task:
        """Return the task itself; ConfigurationError where a text's own likelihood is asked for."""
        if task.decode == "likelihood":
            raise ConfigurationError(
                f"{task.short}: an encoder-decoder has no likelihood of a text without a prompt; choose decoders, "
                "model=causal_lm"
            )
        return task

    @property
    def inference(self) -> Seq2SeqInference:
        """One pass of the encoder, then the decoder."""
        return Seq2SeqInference()

    def collate(
        self, sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]], *, pad_id: int
    ) -> dict[str, Any]:
        """Return the sources for the encoder, the targets as labels."""
        return collate(sources, targets, pad_id=pad_id)

    def model(self, tasks: Sequence[Task]) -> PreTrainedModel:
        """Return a fresh copy of the base model."""
        return load_model(self.base_model.model_folder(self.context.store))

    @staticmethod
    def fresh_parameters(model: PreTrainedModel) -> frozenset[str]:
        """Return what a decoder lacks that was made of an encoder; none of a model that was pre-trained whole."""
        return fresh_parameters(model)

    def module(self, model: nn.Module, recipe: TrainingRecipe, *, seed: int) -> pl.LightningModule:
        """Return TextToText with the trainer's optimizer."""
        trainer = self.context.trainer
        optimizer: Any = bind(trainer["optimizer"], lr=recipe.fit["learning_rate"])
        return TextToText(model, optimizer=optimizer, light_dropout=trainer["light_dropout"])


def collate(sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]], *, pad_id: int) -> dict[str, Any]:
    """Return `input_ids` and `attention_mask` of the sources, and the targets as `labels`; all filled on the right."""
    return {
        **Seq2SeqInference().inputs(sources, pad_id=pad_id),
        "labels": pad(targets, value=IGNORE),
    }
