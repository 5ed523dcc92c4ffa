"""The family of decoder-only models (`AutoModelForCausalLM`): a prompt and its answer are one text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytorch_lightning as pl
from torch import nn
from transformers import PreTrainedModel

from dfwe.config.instantiate import bind
from dfwe.config.tasks import Task
from dfwe.errors import ConfigurationError
from dfwe.families.base import TrainingRecipe
from dfwe.families.causal_lm.asking import CausalInference
from dfwe.families.causal_lm.calibration import CausalExample
from dfwe.families.causal_lm.likelihood import PassageReader
from dfwe.families.causal_lm.model import CausalText, collate
from dfwe.families.causal_lm.prompts import CausalForm
from dfwe.families.scorer import SplitReader
from dfwe.families.text.family import TextFamily
from dfwe.families.text.lightning_module import checkpoint_gradients
from dfwe.models.loading import load_tokenizer
from dfwe.records import Split


@dataclass(frozen=True)
class CausalLmFamily(TextFamily):
    """Models that go on with a text: a task's prompt, then its answer.

    `chat_template` writes the prompt as a user's turn of the tokenizer's template; `target_delimiter` stands between a
    plain prompt and its answer. `length_normalized` chooses from a closed set by the mean log-likelihood of an answer's
    tokens, else by the sum. `gradient_checkpointing` saves memory in training, for about a third more time.
    """

    name: ClassVar[str] = "causal_lm"
    auto_class: ClassVar[str] = "AutoModelForCausalLM"
    takes_device_map: ClassVar[bool] = True
    example: ClassVar[type[CausalExample]] = CausalExample
    inference: ClassVar[CausalInference] = CausalInference()
    collate = staticmethod(collate)
    chat_template: bool
    target_delimiter: str
    length_normalized: bool
    gradient_checkpointing: bool

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.settings.truncation != "context":
            raise ConfigurationError(
                f"data.truncation={self.settings.truncation}: a decoder's prompt loses its beginning, for its answer "
                "follows its end; set data.truncation=context"
            )

    def reader(self, task: Task, *, split: Split) -> SplitReader:
        """Return what asks models the split, or how likely they find its passages."""
        if self.decoding(task) != "likelihood":
            return super().reader(task, split=split)
        return PassageReader(
            self.context.data.instances(task, split=split),
            tokenizer=self.tokenizer,
            window=self.settings.max_source_tokens,
            max_tokens=self.context.tokens_at_once("eval_tokens"),
        )

    @property
    def form(self) -> CausalForm:
        """A plain text, or one by the chat template."""
        return CausalForm(self.chat_template, self.target_delimiter)

    @property
    def _scores_means(self) -> bool:
        return self.length_normalized

    def settings_spec(self) -> dict[str, Any]:
        """Return the family's own part of `spec`."""
        scoring = 2  # with windows, and with rotary positions that a copy in bfloat16 does not round
        own = {"length_normalized": self.length_normalized, "scoring": scoring}
        if self.gradient_checkpointing and self.context.trainer["light_dropout"] and self.context.device.type == "cpu":
            own["checkpointing"] = 2  # whose dropout is that of the forward pass
        return {**super().settings_spec(), **self.form.spec(), **own}

    def export_tokenizer(self, folder: Path, *, cuts: Literal["left", "right"] | None = None) -> None:
        """Write the tokenizer as it came: a chat keeps its beginning, however little a study reads."""
        self.tokenizer.save_pretrained(folder)

    def check_base_folder(self, folder: Path) -> None:
        """Check that the tokenizer has the chat template that prompts are written by; ModelError if not."""
        self.form.frame(load_tokenizer(folder))

    @staticmethod
    def fresh_parameters(model: nn.Module) -> frozenset[str]:
        """Return none: a decoder comes whole."""
        return frozenset()

    def module(self, model: nn.Module, recipe: TrainingRecipe, *, seed: int) -> pl.LightningModule:
        """Return CausalText with the trainer's optimizer."""
        trainer = self.context.trainer
        optimizer: Any = bind(trainer["optimizer"], lr=recipe.fit["learning_rate"])
        assert isinstance(model, PreTrainedModel)
        if self.gradient_checkpointing:
            checkpoint_gradients(model, light_dropout=trainer["light_dropout"])
        return CausalText(model, optimizer=optimizer, light_dropout=trainer["light_dropout"])

    def export(self, model: PreTrainedModel, folder: Path, *, max_shard_size: str) -> dict[str, Any]:
        """Write a folder that `AutoModelForCausalLM` loads."""
        asked = {**self.form.spec(), "length_normalized": self.length_normalized}
        return {**super().export(model, folder, max_shard_size=max_shard_size), **asked}
