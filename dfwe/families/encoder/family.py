"""What families of an encoder with a head per task share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn
from transformers import PreTrainedModel

from dfwe.config.instantiate import bind
from dfwe.config.tasks import Task
from dfwe.errors import ConfigurationError
from dfwe.families.base import ModelFamily, TrainingRecipe
from dfwe.families.encoder.calibration import HeadExample, draw_examples
from dfwe.families.encoder.gradient_surgery import Surgery
from dfwe.families.encoder.lightning_module import MultiTask
from dfwe.families.encoder.linear_probe import load_heads
from dfwe.families.encoder.model import HEADS, TaskModel
from dfwe.families.encoder.reader import HeadReader
from dfwe.families.encoder.smart import Smart
from dfwe.families.scorer import SplitScorer
from dfwe.records import Split


@dataclass(frozen=True)
class EncoderFamily(ModelFamily):
    """Models of one encoder that tasks share, and one head per task."""

    has_heads: ClassVar[bool] = True
    head_prefix: ClassVar[str | None] = HEADS

    def __post_init__(self) -> None:
        if self.settings.decode != "task":
            raise ConfigurationError(f"decode={self.settings.decode}: heads answer in one way; set decode=task")
        if (accumulate := self.context.trainer["accumulate"]) != 1:
            raise ConfigurationError(
                f"trainer.accumulate={accumulate}: models with heads cannot accumulate gradients; set "
                "trainer.accumulate=1 and a larger trainer.batch_size"
            )

    def model(self, tasks: Sequence[Task]) -> Any:
        """Return a fresh copy of the base encoder with heads, trained first where that is asked for."""
        model = self.fresh_model(tasks)
        load_heads(model, self.head_trainings(tasks), store=self.context.store)
        return model

    @abstractmethod
    def fresh_model(self, tasks: Sequence[Task]) -> TaskModel:
        """Return the base encoder with the heads that the tasks' models have, none of them trained."""

    @staticmethod
    def fresh_parameters(model: TaskModel) -> frozenset[str]:
        """Return the heads'."""
        return model.head_parameters

    def pretrained(self, model: TaskModel) -> PreTrainedModel:
        """Return the encoder: heads are left behind."""
        encoder: PreTrainedModel = model.encoder
        return encoder

    def texts(self, tasks: Sequence[Task]) -> Iterator[str]:
        """Yield what the models read of the tasks' train splits."""
        for task in tasks:
            for instance in self.context.data.instances(task, split="train"):
                yield from instance.sentences or (instance.source,)

    def multi_task(
        self,
        model: nn.Module,
        recipe: TrainingRecipe,
        *,
        weights: Mapping[str, float],
        surgery: Surgery | None = None,
        smart: Smart | None = None,
    ) -> MultiTask:
        """Return the Lightning module of a training; `weights` are those of the tasks' losses, by short names."""
        trainer = self.context.trainer
        assert isinstance(model, TaskModel)
        return MultiTask(
            model,
            optimizer=bind(trainer["optimizer"], lr=recipe.fit["learning_rate"]),
            gradient_clip=trainer["gradient_clip"],
            surgery=surgery,
            smart=smart,
            weights=dict(weights),
            light_dropout=trainer["light_dropout"],
        )

    def num_split_tokens(self, task: Task, *, split: Split) -> int:
        """Return the tokens that the encoder reads."""
        return sum(sum(map(len, example)) for example in self.encode(task, split=split).tokens)

    def new_scorer(self, task: Task, *, split: Split) -> SplitScorer:
        """Return a scorer of the task's split."""
        tokens, encoded = self.context.tokens_at_once("eval_tokens"), self.encode(task, split=split)
        half = self.half if encoded.is_closed else None  # numbers would be rounded themselves
        return SplitScorer(HeadReader(encoded, max_tokens=tokens), scorer=task.scorer, half=half)

    def draw_examples(self, tasks: Sequence[Task], *, examples: int, seed: int) -> Sequence[HeadExample]:
        """Draw examples of the tasks' train splits."""
        return draw_examples([self.encode(task, split="train") for task in tasks], examples=examples, seed=seed)
