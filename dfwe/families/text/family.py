"""What the families whose models read prompts and write, or choose, answers have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

import transformers
from transformers import PreTrainedModel

from dfwe.config.task_options import read_tasks
from dfwe.config.tasks import Task
from dfwe.errors import ConfigurationError
from dfwe.families.base import HeadTraining, ModelFamily, TrainingRecipe, check_no_head_first
from dfwe.families.datamodule import EpochData
from dfwe.families.scorer import SplitReader, SplitScorer
from dfwe.families.text.calibration import TextExample, draw_examples
from dfwe.families.text.datamodule import text_data
from dfwe.families.text.decoding import Decoding, ReferenceDecoding, also_ending_at, end_token
from dfwe.families.text.harness import harness_reader
from dfwe.families.text.reader import Inference, TextReader
from dfwe.families.text.tokenization import (
    PLAIN,
    PromptForm,
    TokenisedSplit,
    TokenLimits,
    read_tokens,
    save_tokens,
    tokens_key,
    warn_of_full,
)
from dfwe.models.loading import load_weights_of
from dfwe.records import Split
from dfwe.seeding import derive

TOKENS = "tokens"


@dataclass(frozen=True)
class TextFamily(ModelFamily):
    """Models that read a task's prompt and write, or choose, its answer."""

    adapts_all: ClassVar[bool] = True
    takes_lora: ClassVar[bool] = True
    example: ClassVar[type[TextExample]]  # on which collectors measure its models
    inference: ClassVar[Inference]  # the way in which its models are asked
    collate: ClassVar[Callable[..., dict[str, Any]]]  # of sources and targets, to a batch with `labels`

    def __post_init__(self) -> None:
        if self.settings.max_target_tokens < 1:
            raise ConfigurationError("model.max_target_tokens=0: a model that writes its answers needs at least 1")
        if self.settings.reference is not None:
            ReferenceDecoding(**self.settings.reference)  # a wrong number shows now
        check_no_head_first(self)

    @property
    def form(self) -> PromptForm:
        """The form of prompts and answers as tokens."""
        return PLAIN

    @property
    def _scores_means(self) -> bool:
        """True if an answer of a closed set scores the mean of its tokens' log-likelihoods, false if their sum."""
        return False

    def model(self, tasks: Sequence[Task]) -> PreTrainedModel:
        """Return a fresh copy of the base model, on the devices of the settings' `placement` if they have one."""
        auto, folder = getattr(transformers, self.auto_class), self.base_model.model_folder(self.context.store)
        model: PreTrainedModel = load_weights_of(auto, folder, **(self.settings.placement or {}))
        return model

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

    @staticmethod
    def adapt(task: Task) -> Task:
        """Return the task itself: every prompt is a text."""
        return task

    def decoding(self, task: Task) -> str:
        """Return how the task is answered: `labels`, `candidates`, `greedy`, `reference`, or how it is scored."""
        return task.decode if self.settings.decode == "task" or task.is_scored else self.settings.decode

    def with_decoding(self, decode: str) -> TextFamily:
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

    def pretrained(self, model: PreTrainedModel) -> PreTrainedModel:
        """Return all of it."""
        return model

    def export(self, model: PreTrainedModel, folder: Path, *, max_shard_size: str) -> dict[str, Any]:
        """Write a folder that the family's Auto class loads."""
        with also_ending_at(model, end_token(self.tokenizer)):
            model.save_pretrained(folder, max_shard_size=max_shard_size)
        self.export_tokenizer(folder)
        settings, reference = self.settings, self.settings.reference
        return {
            "max_words": self.context.data.max_words,
            "max_source_tokens": settings.max_source_tokens,
            "max_target_tokens": settings.max_target_tokens,
            "truncation": settings.truncation,
            "decode": settings.decode,
            "reference": None if reference is None else dict(reference),
        }

    def training_data(self, recipe: TrainingRecipe, *, seed: int) -> EpochData:
        """Return a mixture of the batches of every task's train split."""
        return text_data(
            [self.encode(task, split="train") for task in recipe.tasks],
            batch_size=recipe.batch_size,
            group_batches=self.context.trainer["group_batches"],
            collate=partial(self.collate, pad_id=self.tokenizer.pad_token_id),
            seed=seed,
        )

    def num_split_tokens(self, task: Task, *, split: Split) -> int:
        """Return the tokens of the sources."""
        return sum(int(length) for length in self.encode(task, split=split).tokens["length"])

    @property
    def limits(self) -> TokenLimits:
        """Bounds on the tokens of inputs and answers."""
        settings = self.settings
        return TokenLimits(
            settings.max_source_tokens,
            settings.max_target_tokens,
            settings.truncation,
            settings.max_truncated_fraction,
        )

    def draw_examples(self, tasks: Sequence[Task], *, examples: int, seed: int) -> Sequence[TextExample]:
        """Draw examples of the tasks' train splits; ConfigurationError for a task that has none."""
        if scored := [task.short for task in tasks if task.is_scored]:
            raise ConfigurationError(
                f"{scored[0]} has no train split to measure statistics on: choose a merge without them, as "
                "merge=nelder_mead"
            )
        splits = [(self.encode(task, split="train"), task.max_new_tokens) for task in tasks]
        return draw_examples(self.example, splits, examples=examples, seed=seed)

    @cached_property
    def _reference(self) -> ReferenceDecoding:
        assert self.settings.reference is not None
        return ReferenceDecoding(**self.settings.reference)

    def new_split(self, task: Task, *, split: Split) -> TokenisedSplit:
        """Return the task's instances with their tokens, which lie in the store."""
        instances, limits, tokenizer = self.context.data.instances(task, split=split), self.limits, self.tokenizer
        form = self.form
        spec = {"key": tokens_key(instances, tokenizer=tokenizer, limits=limits, form=form)}

        def make(folder: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
            save_tokens(instances, tokenizer=tokenizer, limits=limits, folder=folder / TOKENS, form=form)
            return {"task": task.name, "split": split}, (TOKENS,)

        entry = self.context.store.get_or_make("tokens", spec=spec, make=make, title=f"tokens of {task.short}, {split}")
        tokens = read_tokens(instances, limits=limits, folder=entry.folder / TOKENS)
        if task.data is not None:
            warn_of_full(tokens, limits=limits, of=f"{task.short}, {split}")
        return tokens

    def new_scorer(self, task: Task, *, split: Split) -> SplitScorer:
        """Return a scorer of the task's split."""
        return SplitScorer(self.reader(task, split=split), scorer=task.scorer, half=self.half)

    def reader(self, task: Task, *, split: Split) -> SplitReader:
        """Return what asks models the task's split."""
        decode, settings, context = self.decoding(task), self.settings, self.context
        if decode == "harness":
            instances = context.data.instances(task, split=split)
            return harness_reader(task, split, instances=instances, tokenizer=self.tokenizer)
        decoding = Decoding(
            decode=decode,  # type: ignore[arg-type]
            max_new_tokens=task.max_new_tokens,
            max_tokens=context.tokens_at_once("eval_tokens"),
            text_tokens=context.tokens_at_once("text_tokens"),
            seed=derive(self._reference.seed, "decode", task.name, split) if decode == "reference" else 0,
            reference=None if settings.reference is None else self._reference,
            length_normalized=self._scores_means,
        )
        return TextReader(
            self.encode(task, split=split),
            decoding=decoding,
            tokenizer=self.tokenizer,
            inference=self.inference,
            form=self.form,
        )
