"""The family of encoder-decoders (`AutoModelForSeq2SeqLM`): tasks are texts, answers are texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from math import ceil
from pathlib import Path
from typing import Any, ClassVar

import pytorch_lightning as pl
from torch import nn
from transformers import PreTrainedModel

from dfwe.config.instantiate import bind
from dfwe.config.task_options import read_tasks
from dfwe.config.tasks import Task
from dfwe.errors import ConfigurationError
from dfwe.families.base import HeadTraining, ModelFamily, TrainingRecipe, check_no_head_first
from dfwe.families.datamodule import EpochData
from dfwe.families.fast.kernels import HalfCopy
from dfwe.families.scorer import SplitScorer
from dfwe.families.seq2seq.calibration import draw_examples
from dfwe.families.seq2seq.datamodule import text_data
from dfwe.families.seq2seq.inference.answers import Decoding, TextReader
from dfwe.families.seq2seq.inference.generate import ReferenceDecoding
from dfwe.families.seq2seq.model import TextToText, load_model
from dfwe.families.seq2seq.tokenization import (
    TokenisedSplit,
    TokenLimits,
    read_tokens,
    save_tokens,
    tokens_key,
    warn_of_full,
)
from dfwe.families.statistics.base import CalibrationExample
from dfwe.records import Split
from dfwe.seeding import derive

TOKENS = "tokens"


@dataclass(frozen=True)
class Seq2SeqFamily(ModelFamily):
    """Models that read a task's prompt and write, or choose, its answer."""

    name: ClassVar[str] = "seq2seq"
    auto_class: ClassVar[str] = "AutoModelForSeq2SeqLM"
    adapts_all: ClassVar[bool] = True
    _half: HalfCopy = field(default_factory=HalfCopy, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.settings.max_target_tokens < 1:
            raise ConfigurationError("model.max_target_tokens=0: a model that writes its answers needs at least 1")
        if self.settings.reference is not None:
            ReferenceDecoding(**self.settings.reference)  # a wrong number shows now
        check_no_head_first(self)

    def settings_spec(self) -> dict[str, Any]:
        """Return the family's own part of `spec`."""
        settings, context = self.settings, self.context
        reference = {"reference": asdict(self._reference)} if settings.decode == "reference" else {}
        return {
            "max_words": context.data.max_words,
            "limits": [settings.max_source_tokens, settings.max_target_tokens, settings.truncation],
            "decode": settings.decode,
            "text_tokens": context.tokens_at_once("text_tokens"),
            **reference,
        }

    def with_heads(self, heads: Mapping[str, Mapping[str, Any]]) -> Seq2SeqFamily:
        """Raise ConfigurationError: there are no heads."""
        raise ConfigurationError(f"changes to the heads of {', '.join(heads)}: a seq2seq model does not have heads")

    @staticmethod
    def adapt(task: Task) -> Task:
        """Return the task itself: every prompt is a text."""
        return task

    def decoding(self, task: Task) -> str:
        """Return how the task is answered: `labels`, `candidates`, `greedy` or `reference`."""
        return task.decode if self.settings.decode == "task" else self.settings.decode

    def with_decoding(self, decode: str) -> Seq2SeqFamily:
        """Return the same with every task answered in that way."""
        return replace(self, settings=replace(self.settings, decode=decode), _scorers={})

    def texts(self, tasks: Sequence[Task]) -> Iterator[str]:
        """Yield what the tasks ask and answer, and the labels of all tasks that are asked of dialogues."""
        for task in tasks:
            for instance in self.context.data.instances(task, split="train"):
                yield instance.source
                yield from instance.targets
        for config in read_tasks().values():
            if config.data is None:
                yield from config.labels

    def head_trainings(self, tasks: Sequence[Task]) -> tuple[HeadTraining, ...]:
        """Return none: a pretrained decoder answers any task."""
        return ()

    def model(self, tasks: Sequence[Task]) -> PreTrainedModel:
        """Return a fresh copy of the base model."""
        return load_model(self.base_model.model_folder(self.context.store))

    def pretrained(self, model: PreTrainedModel) -> PreTrainedModel:
        """Return all of it."""
        return model

    def export(self, model: PreTrainedModel, folder: Path) -> dict[str, Any]:
        """Write a folder that `AutoModelForSeq2SeqLM` loads."""
        model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        settings, reference = self.settings, self.settings.reference
        return {
            "max_words": self.context.data.max_words,
            "max_source_tokens": settings.max_source_tokens,
            "max_target_tokens": settings.max_target_tokens,
            "truncation": settings.truncation,
            "decode": settings.decode,
            "reference": None if reference is None else dict(reference),
        }

    @property
    def options(self) -> Mapping[str, Any]:
        """No options: a mixture of tasks is trained in one way."""
        return {}

    def check_recipe(self, recipe: TrainingRecipe) -> None:
        """Accept every recipe without options."""
        if recipe.options:
            raise ConfigurationError(
                f"{recipe.name}: a seq2seq model is trained in one way, without {', '.join(recipe.options)}: choose a "
                "model of the family multi_head, such as model=minilm_heads"
            )

    def module(self, model: nn.Module, recipe: TrainingRecipe, *, seed: int) -> pl.LightningModule:
        """Return TextToText with the trainer's optimizer."""
        trainer = self.context.trainer
        optimizer: Any = bind(trainer["optimizer"], lr=recipe.fit["learning_rate"])
        return TextToText(model, optimizer=optimizer, light_dropout=trainer["light_dropout"])

    def training_data(self, recipe: TrainingRecipe, *, seed: int) -> EpochData:
        """Return a mixture of the batches of every task's train split."""
        return text_data(
            [self.encode(task, split="train") for task in recipe.tasks],
            batch_size=recipe.batch_size,
            group_batches=self.context.trainer["group_batches"],
            pad_id=self.tokenizer.pad_token_id,
            seed=seed,
        )

    def num_steps(self, recipe: TrainingRecipe, *, epochs: int) -> int:
        """Return the optimizer's steps: an epoch reads every instance of every task once."""
        accumulate: int = self.context.trainer["accumulate"]
        return epochs * ceil(sum(self.num_batches(recipe)) / accumulate)

    def num_tokens(self, recipe: TrainingRecipe, *, epochs: int, seed: int) -> int:
        """Return the tokens that the encoder reads."""
        lengths = (self.encode(task, split="train").tokens["length"] for task in recipe.tasks)
        return epochs * sum(int(length) for task in lengths for length in task)

    @property
    def limits(self) -> TokenLimits:
        """Bounds on the tokens of inputs and answers."""
        settings = self.settings
        return TokenLimits(
            settings.max_source_tokens,
            settings.max_target_tokens,
            settings.truncation,  # type: ignore[arg-type]
            settings.max_truncated_fraction,
        )

    def draw_examples(self, tasks: Sequence[Task], *, examples: int, seed: int) -> Sequence[CalibrationExample]:
        """Draw examples of the tasks' train splits."""
        splits = [(self.encode(task, split="train"), task.max_new_tokens) for task in tasks]
        return draw_examples(splits, examples=examples, seed=seed)

    @cached_property
    def _reference(self) -> ReferenceDecoding:
        assert self.settings.reference is not None
        return ReferenceDecoding(**self.settings.reference)

    def new_split(self, task: Task, *, split: Split) -> TokenisedSplit:
        """Return the task's instances with their tokens, which lie in the store."""
        instances, limits, tokenizer = self.context.data.instances(task, split=split), self.limits, self.tokenizer
        spec = {"key": tokens_key(instances, tokenizer=tokenizer, limits=limits)}

        def make(folder: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
            save_tokens(instances, tokenizer=tokenizer, limits=limits, folder=folder / TOKENS)
            return {"task": task.name, "split": split}, (TOKENS,)

        entry = self.context.store.get_or_make("tokens", spec=spec, make=make, title=f"tokens of {task.short}, {split}")
        tokens = read_tokens(instances, limits=limits, folder=entry.folder / TOKENS)
        if task.data is not None:
            warn_of_full(tokens, limits=limits, of=f"{task.short}, {split}")
        return tokens

    def new_scorer(self, task: Task, *, split: Split) -> SplitScorer:
        """Return a scorer of the task's split."""
        decode, settings, context = self.decoding(task), self.settings, self.context
        decoding = Decoding(
            decode=decode,  # type: ignore[arg-type]
            max_new_tokens=task.max_new_tokens,
            max_tokens=context.tokens_at_once("eval_tokens"),
            text_tokens=context.tokens_at_once("text_tokens"),
            seed=derive(self._reference.seed, "decode", task.name, split) if decode == "reference" else 0,
            reference=None if settings.reference is None else self._reference,
        )
        reader = TextReader(self.encode(task, split=split), decoding=decoding, tokenizer=self.tokenizer)
        half = self._half if context.precision == "bf16-mixed" else None
        return SplitScorer(reader, scorer=task.scorer, half=half)
