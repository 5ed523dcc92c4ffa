"""What the stages of one study share: store, data, parent, tokenizer, precision; heavy parts are made on demand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from transformers import AutoTokenizer, PreTrainedModel

from dfwe.data.tokenise import TokenisedSplit, TokenLimits
from dfwe.evaluation.answers import Decoding
from dfwe.evaluation.generate import ReferenceDecoding
from dfwe.evaluation.half import HalfCopy
from dfwe.evaluation.score import SplitScorer
from dfwe.models.text_to_text import load_model
from dfwe.records import Split
from dfwe.seeding import derive
from dfwe.stages.parent import Parent
from dfwe.stages.study_data import StudyData
from dfwe.stages.tasks import Task
from dfwe.store.store import Store
from dfwe.training.precision import resolve_device


@dataclass(frozen=True)
class Bench:
    """The shared parts of a study's stages.

    `decode` is `task` (each task's own way), or a way for every task: `labels` (the most likely of its closed set),
    `greedy`, `reference`. `precision` is resolved; `trainer` the trainer's configuration.
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

    def task_spec(self, task: Task) -> dict[str, Any]:
        """What of a task and its data changes results, as JSON."""
        return {**task.spec(), "data": self.data.digest(task)}

    def answering(self, decode: str) -> Bench:
        """The same with every task answered in that way."""
        return replace(self, decode=decode, _scorers={})

    def way(self, task: Task) -> str:
        """How the task is answered: `labels`, `candidates`, `greedy` or `reference`."""
        return task.decode if self.decode == "task" else self.decode

    @property
    def _reference(self) -> ReferenceDecoding:
        assert self.reference is not None
        return self.reference

    @cached_property
    def tokenizer(self) -> Any:
        """The parent's tokenizer."""
        return AutoTokenizer.from_pretrained(self.parent.model_folder(self.store))

    @property
    def device(self) -> torch.device:
        """Where models are evaluated outside a Trainer."""
        return resolve_device(self.trainer["accelerator"])

    def _tokens(self, of: str) -> int:
        tokens: int = self.trainer[of][self.device.type]
        return tokens

    def model(self) -> PreTrainedModel:
        """A fresh copy of the parent."""
        return load_model(self.parent.model_folder(self.store))

    def split(self, task: Task, *, split: Split) -> TokenisedSplit:
        """The task's tokens."""
        return self.data.tokens(task, split=split, tokenizer=self.tokenizer, limits=self.limits)

    def scorer(self, task: Task, *, split: Split) -> SplitScorer:
        """What scores a model on the task's split, built once."""
        if (task.name, split) not in self._scorers:
            self._scorers[task.name, split] = self._new_scorer(task, split=split)
        return self._scorers[task.name, split]

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
