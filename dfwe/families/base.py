"""What the stages of one study share: store, data, parent, tokenizer, precision; heavy parts are made on demand."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from transformers import PreTrainedModel

from dfwe.config.task_data import StudyData
from dfwe.config.tasks import Target, Task, TaskMean, tasks_of
from dfwe.errors import ConfigurationError
from dfwe.families.multi_head.scorer import HeadScorer, MeanScorer
from dfwe.families.seq2seq.fast.bf16 import HalfCopy
from dfwe.families.seq2seq.inference.answers import Decoding
from dfwe.families.seq2seq.inference.generate import ReferenceDecoding
from dfwe.families.seq2seq.model import TextToText, load_model
from dfwe.families.seq2seq.scorer import SplitScorer
from dfwe.families.seq2seq.statistics.base import Collector, Question, Tell, draw_questions
from dfwe.families.seq2seq.tokenization import TokenisedSplit, TokenLimits
from dfwe.models.loading import load_tokenizer
from dfwe.records import Instance, Split
from dfwe.seeding import derive
from dfwe.stages.parent import Parent
from dfwe.store.store import Store
from dfwe.training.precision import resolve_device

AnyScorer = SplitScorer | HeadScorer | MeanScorer


class Bench(ABC):
    """The shared parts of a study's stages: what a stage needs that does not train. `precision` is resolved."""

    store: Store
    data: StudyData
    parent: Parent
    trainer: Mapping[str, Any]
    precision: str
    decode: str
    logger: Any

    @abstractmethod
    def spec(self) -> dict[str, Any]:
        """What of it changes results, as JSON; `task_spec` has the data."""

    @abstractmethod
    def model(self) -> Any:
        """A fresh copy of the parent."""

    @abstractmethod
    def pretrained(self, model: Any) -> PreTrainedModel:
        """What of a trained model others start from."""

    @abstractmethod
    def module(self) -> pl.LightningModule:
        """A Lightning module around such a copy, its `model`."""

    @abstractmethod
    def scorer(self, target: Target, *, split: Split) -> AnyScorer:
        """What scores a model on the split, built once."""

    @abstractmethod
    def measured(
        self, collector: Any, models: Sequence[Any], *, tasks: Sequence[Sequence[Task]], seed: int, tell: Tell
    ) -> list[dict[str, Tensor]]:
        """What a collector of statistics finds of models by the names of their tensors; `tasks` each was trained on."""

    def task_spec(self, target: Target) -> dict[str, Any]:
        """What of the tasks and their data changes results, as JSON."""
        if isinstance(target, TaskMean):
            return {"mean": {name: self.task_spec(task) for name, task in target.tasks.items()}}
        return {**target.spec(), "data": self.data.digest(target)}

    def instances(self, target: Target, *, split: Split) -> list[Instance]:
        """The instances, in the order of a scorer's answers."""
        return [instance for task in tasks_of(target) for instance in self.data.instances(task, split=split)]

    @cached_property
    def tokenizer(self) -> Any:
        """The parent's tokenizer."""
        return load_tokenizer(self.parent.model_folder(self.store))

    @property
    def device(self) -> torch.device:
        """Where models are evaluated outside a Trainer."""
        return resolve_device(self.trainer["accelerator"])


@dataclass(frozen=True)
class TextBench(Bench):
    """That of text-to-text models.

    `decode` is `task` (each task's own way), or a way for every task: `labels` (the most likely of its closed set),
    `greedy`, `reference`. `trainer` is the trainer's configuration.
    """

    store: Store
    data: StudyData
    parent: Parent
    limits: TokenLimits
    trainer: Mapping[str, Any]
    precision: str
    decode: str
    logger: Any = False
    reference: ReferenceDecoding | None = None
    _half: HalfCopy = field(default_factory=HalfCopy, compare=False, repr=False)
    _scorers: dict[tuple[str, Split], SplitScorer] = field(default_factory=dict, compare=False, repr=False)

    def spec(self) -> dict[str, Any]:
        """What of it changes results, as JSON; `task_spec` has the data."""
        limits = self.limits
        reference = {"reference": asdict(self._reference)} if self.decode == "reference" else {}
        return {
            "parent": self.parent.digest,
            "max_words": self.data.max_words,
            "limits": [limits.max_source_tokens, limits.max_target_tokens, limits.truncation],
            "precision": self.precision,
            "threads": torch.get_num_threads(),
            "decode": self.decode,
            "eval_tokens": self._tokens("eval_tokens"),
            "text_tokens": self._tokens("text_tokens"),
            **reference,
        }

    def answering(self, decode: str) -> TextBench:
        """The same with every task answered in that way."""
        return replace(self, decode=decode, _scorers={})

    def way(self, task: Task) -> str:
        """How the task is answered: `labels`, `candidates`, `greedy` or `reference`."""
        return task.decode if self.decode == "task" else self.decode

    @property
    def _reference(self) -> ReferenceDecoding:
        assert self.reference is not None
        return self.reference

    def _tokens(self, of: str) -> int:
        tokens: int = self.trainer[of][self.device.type]
        return tokens

    def model(self) -> PreTrainedModel:
        """A fresh copy of the parent."""
        return load_model(self.parent.model_folder(self.store))

    def pretrained(self, model: PreTrainedModel) -> PreTrainedModel:
        """All of it."""
        return model

    def module(self) -> pl.LightningModule:
        """TextToText, with an optimizer that is not to step."""
        return TextToText(self.model(), optimizer=torch.optim.Adam)

    def measured(
        self, collector: Any, models: Sequence[Any], *, tasks: Sequence[Sequence[Task]], seed: int, tell: Tell
    ) -> list[dict[str, Tensor]]:
        """Found on the train splits of each model's own tasks."""
        if not isinstance(collector, Collector):
            raise ConfigurationError(f"{type(collector).__name__} measures no text-to-text models")
        questions = [self._questions(own, examples=collector.examples, seed=seed) for own in tasks]
        return collector.collect(models, questions=questions, seed=derive(seed, "draws"), tell=tell)

    def _questions(self, tasks: Sequence[Task], *, examples: int, seed: int) -> tuple[Question, ...]:
        splits = [(self.split(task, split="train"), task.max_new_tokens) for task in tasks]
        return draw_questions(splits, examples=examples, seed=derive(seed, "examples", *(task.name for task in tasks)))

    def split(self, task: Task, *, split: Split) -> TokenisedSplit:
        """The task's tokens."""
        return self.data.tokens(task, split=split, tokenizer=self.tokenizer, limits=self.limits)

    def scorer(self, target: Target, *, split: Split) -> SplitScorer:
        """What scores a model on the task's split, built once."""
        assert isinstance(target, Task)
        if (target.name, split) not in self._scorers:
            self._scorers[target.name, split] = self._new_scorer(target, split=split)
        return self._scorers[target.name, split]

    def _new_scorer(self, task: Task, *, split: Split) -> SplitScorer:
        way = self.way(task)
        decoding = Decoding(
            decode=way,  # type: ignore[arg-type]
            max_new_tokens=task.max_new_tokens,
            max_tokens=self._tokens("eval_tokens"),
            text_tokens=self._tokens("text_tokens"),
            bf16=self.precision == "bf16-mixed",
            seed=derive(self._reference.seed, "decode", task.name, split) if way == "reference" else 0,
            reference=self.reference,
        )
        return SplitScorer(
            self.split(task, split=split),
            scorer=task.scorer,
            decoding=decoding,
            tokenizer=self.tokenizer,
            half=self._half,
        )
