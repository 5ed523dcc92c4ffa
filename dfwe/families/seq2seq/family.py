"""The family of encoder-decoders (`AutoModelForSeq2SeqLM`): tasks are texts, answers are texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pytorch_lightning as pl
from torch import Tensor, nn
from transformers import EncoderDecoderModel, PreTrainedModel

from dfwe.config.instantiate import bind
from dfwe.config.tasks import Task
from dfwe.errors import ConfigurationError
from dfwe.families.base import TrainingRecipe
from dfwe.families.seq2seq.calibration import Seq2SeqExample
from dfwe.families.seq2seq.inference.asking import Seq2SeqInference
from dfwe.families.text.datamodule import IGNORE
from dfwe.families.text.family import TextFamily
from dfwe.families.text.lightning_module import Batch, TextModule
from dfwe.families.tokens import pad
from dfwe.models.weight_checks import NEW_DECODER


class TextToText(TextModule):
    """An encoder-decoder; a batch holds `input_ids`, `attention_mask` and `labels` (-100 where padded)."""

    def loss(self, batch: Batch) -> Tensor:
        """Return the batch's mean token cross-entropy."""
        inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "labels")}
        loss: Tensor = self.model(**inputs).loss
        return loss


def collate(sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]], *, pad_id: int) -> dict[str, Any]:
    """Return `input_ids` and `attention_mask` of the sources, and the targets as `labels`; all filled on the right."""
    return {
        **Seq2SeqInference().inputs(sources, pad_id=pad_id),
        "labels": pad(targets, value=IGNORE),
    }


@dataclass(frozen=True)
class Seq2SeqFamily(TextFamily):
    """Models whose encoder reads a task's prompt and whose decoder writes, or chooses, its answer."""

    name: ClassVar[str] = "seq2seq"
    auto_class: ClassVar[str] = "AutoModelForSeq2SeqLM"
    example: ClassVar[type[Seq2SeqExample]] = Seq2SeqExample
    inference: ClassVar[Seq2SeqInference] = Seq2SeqInference()
    collate = staticmethod(collate)

    @staticmethod
    def adapt(task: Task) -> Task:
        """Return the task itself; ConfigurationError where a text's own likelihood is asked for."""
        if task.decode == "likelihood":
            raise ConfigurationError(
                f"{task.short}: an encoder-decoder has no likelihood of a text without a prompt; choose decoders, "
                "model=causal_lm"
            )
        return task

    @staticmethod
    def fresh_parameters(model: PreTrainedModel) -> frozenset[str]:
        """Return the names of cross-attention and the output's transform where the decoder was made of an encoder."""
        if not isinstance(model, EncoderDecoderModel):
            return frozenset()
        names = [name for name, _ in model.decoder.named_parameters()]
        return frozenset(f"decoder.{name}" for name in names if NEW_DECODER.may_lack(name))

    def module(self, model: nn.Module, recipe: TrainingRecipe, *, seed: int) -> pl.LightningModule:
        """Return TextToText with the trainer's optimizer."""
        trainer = self.context.trainer
        optimizer: Any = bind(trainer["optimizer"], lr=recipe.fit["learning_rate"])
        return TextToText(model, optimizer=optimizer, light_dropout=trainer["light_dropout"])
