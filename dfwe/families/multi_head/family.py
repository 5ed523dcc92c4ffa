"""What the stages of a multitask study share: the encoder, its heads, the tasks' sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from transformers import PreTrainedModel

from dfwe.config.instantiate import bind
from dfwe.config.resolve import changed_head
from dfwe.config.task_data import StudyData
from dfwe.config.tasks import Target, Task, TaskMean
from dfwe.data.prompts.sentences import Sentences
from dfwe.data.prompts.template import Template
from dfwe.errors import ConfigurationError
from dfwe.families.base import Bench
from dfwe.families.multi_head.fisher import HeadFisher
from dfwe.families.multi_head.heads.base import HeadSpec
from dfwe.families.multi_head.lightning_module import MultiTask
from dfwe.families.multi_head.model import MultiHead, load_multi_head
from dfwe.families.multi_head.scorer import HeadScorer, MeanScorer
from dfwe.families.multi_head.tokenization import SentenceSplit, tokenise_sentences
from dfwe.families.seq2seq.statistics.base import Tell
from dfwe.records import Split
from dfwe.seeding import derive
from dfwe.stages.parent import Parent
from dfwe.store.store import Store

Scorer = HeadScorer | MeanScorer


@dataclass(frozen=True)
class HeadBench(Bench):
    """That of models with heads.

    `tasks` by their short names are all that the models have heads for, `counted` those whose mean decides. `heads` are
    changes to the heads' configurations, `seed` draws their fresh weights. A sentence is cut at `max_tokens`.
    """

    store: Store
    data: StudyData
    parent: Parent
    tasks: Mapping[str, Task]
    heads: Mapping[str, Mapping[str, Any]]
    max_tokens: int
    max_cut_share: float
    trainer: Mapping[str, Any]
    precision: str
    seed: int
    counted: tuple[str, ...]
    decode: str = "heads"
    logger: Any = False
    _splits: dict[tuple[str, Split], SentenceSplit] = field(default_factory=dict, compare=False, repr=False)
    _scorers: dict[tuple[str, Split], HeadScorer] = field(default_factory=dict, compare=False, repr=False)

    def with_heads(self, heads: Mapping[str, Mapping[str, Any]]) -> HeadBench:
        """The same with these changes to the heads; their sentences are shared, scorers and all."""
        return replace(self, heads=heads)

    def spec(self) -> dict[str, Any]:
        """What of it changes results, as JSON."""
        return {
            "parent": self.parent.digest,
            "heads": {name: self._head_config(task) for name, task in self.tasks.items()},
            "heads_seed": self.seed,
            "counted": list(self.counted),
            "max_tokens": self.max_tokens,
            "precision": self.precision,
            "threads": torch.get_num_threads(),
            "eval_tokens": self._eval_tokens,
        }

    def model(self) -> MultiHead:
        """A fresh copy of the parent's encoder, with the heads as every model of the study has them at first."""
        return load_multi_head(self.parent.model_folder(self.store), specs=self.specs, seed=self.seed)

    def pretrained(self, model: MultiHead) -> PreTrainedModel:
        """The encoder: heads are left behind."""
        return model.encoder

    def module(self) -> pl.LightningModule:
        """MultiTask, with an optimizer that is not to step."""
        return MultiTask(
            self.model(),
            optimizer=torch.optim.Adam,
            gradient_clip=None,
            surgery=None,
            smart=None,
            weights={},
            light_dropout=False,
        )

    def scorer(self, target: Target, *, split: Split) -> Scorer:
        """What scores a model on a task's split, or on several and their mean; a task's is built once."""
        if isinstance(target, TaskMean):
            return MeanScorer({name: self._scorer(task, split=split) for name, task in target.tasks.items()})
        return self._scorer(target, split=split)

    def measured(
        self, collector: Any, models: Sequence[Any], *, tasks: Sequence[Sequence[Task]], seed: int, tell: Tell
    ) -> list[dict[str, Tensor]]:
        """Found on the train splits of all tasks that count, whichever the models were trained on (Figure 3)."""
        if not isinstance(collector, HeadFisher):
            raise ConfigurationError(f"{type(collector).__name__} measures no models with heads: take HeadFisher")
        splits = [self.split(self.tasks[name], split="train") for name in self.counted]
        return collector.collect(models, splits=splits, seed=derive(seed, "draws"), tell=tell)

    @cached_property
    def specs(self) -> dict[str, tuple[HeadSpec, tuple[str, ...]]]:
        """The heads and their labels; raises what their classes raise for wrong arguments."""
        return {name: (bind(self._head_config(task)), task.labels) for name, task in self.tasks.items()}

    def split(self, task: Task, *, split: Split) -> SentenceSplit:
        """The task's tokens, made once."""
        if (task.short, split) not in self._splits:
            self._splits[task.short, split] = tokenise_sentences(
                self.data.instances(task, split=split),
                task=task.short,
                labels=task.labels,
                tokenizer=self.tokenizer,
                max_tokens=self.max_tokens,
                max_cut_share=self.max_cut_share,
            )
        return self._splits[task.short, split]

    @property
    def _eval_tokens(self) -> int:
        tokens: int = self.trainer["eval_tokens"][self.device.type]
        return tokens

    def _scorer(self, task: Task, *, split: Split) -> HeadScorer:
        if (task.short, split) not in self._scorers:
            made = HeadScorer(self.split(task, split=split), scorer=task.scorer, max_tokens=self._eval_tokens)
            self._scorers[task.short, split] = made
        return self._scorers[task.short, split]

    def _head_config(self, task: Task) -> dict[str, Any]:
        """The task's, with its changes."""
        assert task.head is not None
        return changed_head(task.head, self.heads.get(task.short, {}))


def with_sentences(task: Task) -> Task:
    """The task, asked as sentences for a head instead of as one text.

    Raises:
        ConfigurationError: it has no head, or is not a task of rows.
    """
    if task.head is None:
        raise ConfigurationError(
            f"the task '{task.short}' has no head: give its YAML a `head:` section (README, 'Models with heads')"
        )
    if not isinstance(task.prompt, Template):
        raise ConfigurationError(f"the task '{task.short}' is no task of rows (Template): a head cannot read it")
    return replace(task, prompt=Sentences(task=task.name, columns=task.head["columns"], answer=task.prompt.answer))
