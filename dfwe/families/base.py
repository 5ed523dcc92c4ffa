"""The contract of a model family: everything that depends on the kind of model, and nothing that does not.

A new family is one folder `dfwe/families/<name>/` with a class like `ModelFamily`, and YAML of models in conf/model
that names it in `family`. Stages, studies, execution and reports ask the family and never which one it is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import ceil
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytorch_lightning as pl
import torch
import transformers
from torch import Tensor, nn

from dfwe.config.task_data import StudyData
from dfwe.config.tasks import Objective, Task, TaskMean, tasks_of
from dfwe.errors import ConfigurationError
from dfwe.families.fast.kernels import HalfCopy
from dfwe.families.scorer import MeanScorer, ModelScorer
from dfwe.families.statistics.base import CalibrationExample, Collector
from dfwe.families.tokens import Truncation
from dfwe.models.external import Align, ExternalModel, copy_external
from dfwe.models.loading import load_config, load_tokenizer, load_weights_of
from dfwe.models.lora import Lora
from dfwe.records import Instance, Split
from dfwe.seeding import derive
from dfwe.store.store import Store
from dfwe.training.precision import resolve_device

OnProgress = Callable[[float], None]

HEAD = "head"  # kind of what a HeadTraining leaves in the store


class BaseModel(ABC):
    """The model that all models of a study start from: a Hugging Face folder, named by a digest."""

    @property
    @abstractmethod
    def digest(self) -> str:
        """Digest of all that made it."""

    @property
    @abstractmethod
    def title(self) -> str:
        """Name in the user's words."""

    @abstractmethod
    def model_folder(self, store: Store) -> Path:
        """Return the Hugging Face folder, made now if it is not there."""


@dataclass(frozen=True)
class StudyContext:
    """What all stages of a study share, whatever its models.

    `trainer` is the trainer's configuration, `precision` is resolved, `logger` is Lightning's (False for none).
    """

    store: Store
    data: StudyData
    trainer: Mapping[str, Any]
    precision: str
    logger: Any = False

    @property
    def device(self) -> torch.device:
        """Device on which models are evaluated outside a Trainer."""
        return resolve_device(self.trainer["accelerator"])

    def tokens_at_once(self, name: str) -> int:
        """Return the number that the trainer's setting has for the device: `eval_tokens` or `text_tokens`."""
        tokens: int = self.trainer[name][self.device.type]
        return tokens


@dataclass(frozen=True)
class FamilySettings:
    """Settings that families may read beside those in their own YAML (`model.family`).

    `seed` draws fresh weights, such as those of heads. `truncation` is `context` or `reference`, `decode` is `task` or
    one way of answering for every task, `reference` the numbers of decode=reference. With `lora` factors are trained in
    place of all weights. `placement` has `device_map` and `max_memory` for a model on several devices.
    """

    seed: int
    max_source_tokens: int
    max_target_tokens: int
    truncation: Truncation
    max_truncated_fraction: float
    decode: str = "task"
    reference: Mapping[str, Any] | None = None
    lora: Lora | None = None
    placement: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class TrainingRecipe:
    """How one model is trained: on which tasks, for which objective on dev (None: to the last epoch), how long.

    `fit` is one part of the trainer's configuration (`epochs`, `patience`, `learning_rate`, `stop_on`), and may have
    `averaging`, the arguments of `weight_average`; `options` are the family's own, see `ModelFamily.options`.
    """

    name: str
    tasks: tuple[Task, ...]
    objective: Objective | None
    fit: Mapping[str, Any]
    batch_size: int
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class HeadTraining:
    """A task's head that is trained once, before all models that have it, and kept in the store under `spec`.

    `make` writes it into a folder and returns what the card says of it, and the names of the files.
    """

    title: str
    spec: Mapping[str, Any]
    make: Callable[[Path], tuple[Mapping[str, Any], tuple[str, ...]]]


@dataclass(frozen=True)
class ModelFamily(ABC):
    """Everything that depends on the kind of model.

    Implementations are frozen dataclasses, too; their further fields are settings of `model.family` in YAML. A study
    builds one with all tasks that its models may meet, its target first. Every method that can refuse raises
    ConfigurationError, in one line, with what to choose instead: studies call `adapt`, `check_recipe`,
    `check_collector` and `with_decoding` before anything is trained.
    """

    context: StudyContext
    base_model: BaseModel
    tasks: tuple[Task, ...]
    settings: FamilySettings
    _splits: dict[tuple[str, Split], Any] = field(default_factory=dict, compare=False, repr=False, kw_only=True)
    _scorers: dict[tuple[str, Split], ModelScorer] = field(
        default_factory=dict, compare=False, repr=False, kw_only=True
    )
    _half: HalfCopy = field(default_factory=HalfCopy, compare=False, repr=False, kw_only=True)

    name: ClassVar[str]  # that of its folder
    auto_class: ClassVar[str]  # of Transformers, that loads an exported model
    adapts_all: ClassVar[bool] = False  # whether every task can be answered
    head_prefix: ClassVar[str | None] = None  # of the names of heads' tensors, each one task's own
    optional_prefix: ClassVar[str | None] = None  # of tensors that a file may have beside those of a model
    takes_external: ClassVar[bool] = True  # whether models that were trained elsewhere can be its models
    takes_lora: ClassVar[bool] = False  # whether its trainings can be of factors alone
    takes_device_map: ClassVar[bool] = False  # whether its models can lie on several devices
    has_heads: ClassVar[bool] = False  # whether its splits are SentenceSplits, which some collectors read whole

    @abstractmethod
    def settings_spec(self) -> dict[str, Any]:
        """Return the family's own part of `spec`."""

    def with_heads(self, heads: Mapping[str, Mapping[str, Any]]) -> ModelFamily:
        """Return the same with changes to the tasks' heads, by short name; ConfigurationError where it takes none."""
        raise ConfigurationError(f"changes to heads ({', '.join(heads)}): models of the family {self.name} take none")

    # Tasks ----------------------------------------------------------------------------------------------------------

    @staticmethod
    @abstractmethod
    def adapt(task: Task) -> Task:
        """Return the task as this family's models read it.

        Raises:
            ConfigurationError: they cannot answer it; the message names the families that can.
        """

    @abstractmethod
    def decoding(self, task: Task) -> str:
        """Return how the task is answered: `labels` and `candidates` choose from a closed set, `greedy` and
        `reference` write a text, `numbers` predict one."""

    def with_decoding(self, decode: str) -> ModelFamily:
        """Return the same with every task answered in that way; ConfigurationError where there is only one way."""
        raise ConfigurationError(
            f"decoding_comparison=[{decode}]: models of the family {self.name} answer in one way; set "
            "decoding_comparison=[]"
        )

    @abstractmethod
    def new_split(self, task: Task, *, split: Split) -> Any:
        """Return the task's instances as tokens; `encode` keeps them."""

    @abstractmethod
    def texts(self, tasks: Sequence[Task]) -> Iterator[str]:
        """Yield the texts that a fresh tokenizer is trained on."""

    # Models ---------------------------------------------------------------------------------------------------------

    @abstractmethod
    def head_trainings(self, tasks: Sequence[Task]) -> tuple[HeadTraining, ...]:
        """Return the trainings of heads that models for these tasks start from; none where heads stay fresh."""

    @abstractmethod
    def model(self, tasks: Sequence[Task]) -> Any:
        """Return a fresh copy of the base model that can answer the tasks: where every training starts.

        It is in float32 and evaluation mode.
        """

    def on_device(self, model: Any) -> Any:
        """Return the model where it is evaluated: on the study's device, or on those that it was loaded on."""
        return model if self.settings.placement is not None else model.to(self.context.device)

    @staticmethod
    @abstractmethod
    def fresh_parameters(model: Any) -> frozenset[str]:
        """Return the names of the model's parameters that a pre-trained base model lacks; none where it has all."""

    @abstractmethod
    def pretrained(self, model: Any) -> Any:
        """Return the part of a trained model that others start from, with `save_pretrained`."""

    @abstractmethod
    def export(self, model: Any, folder: Path, *, max_shard_size: str) -> dict[str, Any]:
        """Write the model into the folder, with its tokenizer; return what `dfwe.json` has of asking it.

        Weights above `max_shard_size`, such as `5GB`, are cut into shards.
        """

    def plain_network(self, model: Any) -> Any:
        """Return the model as Transformers has it, weights shared: what a model from elsewhere must fit."""
        assert self.takes_external
        return model

    def can_be_asked(self, external: ExternalModel) -> bool:
        """Return whether a model can answer the target as it is, which a base model may not."""
        return True

    def starting_from(self, external: ExternalModel) -> ModelFamily:
        """Return the same for experts of this base model, all of whose weights its models start with."""
        return self

    def outputs_of(self, external: ExternalModel) -> tuple[str, ...]:
        """Return the answers of a model's outputs, where they are put into another order; here they have one."""
        return ()

    def check_external(self, external: ExternalModel) -> None:
        """Check, before anything is loaded, that a model's configuration suits the target; it must be there to be read.

        Raises:
            ModelError: it does not suit the target, or cannot be read.
            NetworkError: its repository cannot be reached.
        """
        if external.form == "model":
            load_config(external.name)

    def check_base_folder(self, folder: Path) -> None:
        """Check that what lies beside the base model's weights suits how the target is asked; ModelError if not."""
        load_tokenizer(folder)

    def copy_external(self, model: Any, external: ExternalModel, *, align: Align | None = None) -> None:
        """Copy the weights of a model that was trained elsewhere into `model`; as in `models.external`."""
        auto, network = getattr(transformers, self.auto_class), self.plain_network(model)
        copy_external(network, external, load=lambda name: load_weights_of(auto, name), align=align)

    # Training -------------------------------------------------------------------------------------------------------

    @property
    def options(self) -> Mapping[str, Any]:
        """Options of a training that sets none: those in YAML; none where a mixture of tasks is trained in one way."""
        return {}

    def check_recipe(self, recipe: TrainingRecipe) -> None:
        """Check that the family can train so; ConfigurationError where it cannot."""
        if recipe.options:
            raise ConfigurationError(
                f"{recipe.name}: models of the family {self.name} are trained in one way, without "
                f"{', '.join(recipe.options)}: choose one of the family multi_head, such as model=minilm_heads"
            )

    @abstractmethod
    def module(self, model: nn.Module, recipe: TrainingRecipe, *, seed: int) -> pl.LightningModule:
        """Return the Lightning module that trains `model`, its attribute `model`.

        Where it optimizes by itself (`automatic_optimization` false) it clips by itself, too, and does not accumulate.
        """

    @abstractmethod
    def training_data(self, recipe: TrainingRecipe, *, seed: int) -> pl.LightningDataModule:
        """Return the batches of the recipe's tasks, in an order that depends on seed and epoch alone."""

    def num_steps(self, recipe: TrainingRecipe, *, epochs: int) -> int:
        """Return the number of the optimizer's steps in so many epochs, which read every instance once."""
        accumulate: int = self.context.trainer["accumulate"]
        return epochs * ceil(sum(self.num_batches(recipe)) / accumulate)

    def num_tokens(self, recipe: TrainingRecipe, *, epochs: int, seed: int) -> int:
        """Return the number of tokens that so many epochs read, padding aside; `seed` as in `training_data`."""
        if not epochs:
            return 0  # of a model from elsewhere, whose task may have no train split
        return epochs * sum(self.num_split_tokens(task, split="train") for task in recipe.tasks)

    @abstractmethod
    def num_split_tokens(self, task: Task, *, split: Split) -> int:
        """Return the number of tokens of a split's questions, padding aside."""

    # Evaluation and statistics --------------------------------------------------------------------------------------

    @abstractmethod
    def new_scorer(self, task: Task, *, split: Split) -> ModelScorer:
        """Return a scorer of the task's split; `task_scorer` keeps it."""

    @abstractmethod
    def draw_examples(self, tasks: Sequence[Task], *, examples: int, seed: int) -> Sequence[CalibrationExample]:
        """Draw so many examples of the tasks' train splits together, on which collectors measure a model."""

    # The same for all families --------------------------------------------------------------------------------------

    @property
    def half(self) -> HalfCopy | None:
        """Copies models in bfloat16, which answer dev where training is in mixed precision; None where it is not."""
        return self._half if self.context.precision == "bf16-mixed" else None

    def spec(self) -> dict[str, Any]:
        """Return the settings that affect results, as JSON; `task_spec` covers the data.

        `base_model` is the base model's digest.
        """
        return {
            "base_model": self.base_model.digest,
            "precision": self.context.precision,
            "threads": torch.get_num_threads(),
            "eval_tokens": self.context.tokens_at_once("eval_tokens"),
            **self.settings_spec(),
        }

    def check_collector(self, collector: Any) -> None:
        """Check that the collector of statistics suits the family's models; ConfigurationError where it does not."""
        if self.settings.placement is not None:
            raise ConfigurationError(
                "merge.statistics needs gradients or inputs of layers, which are measured on one device alone: set "
                "model.device_map=null, or choose a merge without statistics"
            )
        if not isinstance(collector, Collector) or (collector.reads == "splits" and not self.has_heads):
            raise ConfigurationError(
                f"{type(collector).__name__} does not measure models of the family {self.name}: set merge.statistics "
                "as in merge=fisher or merge=regmean, or choose a merge without statistics"
            )

    def statistics(
        self,
        collector: Collector,
        models: Sequence[Any],
        *,
        tasks: Sequence[Sequence[Task]],
        seed: int,
        on_progress: OnProgress,
    ) -> list[dict[str, Tensor]]:
        """Return each model's statistics by the names of its tensors, measured on train splits: `tasks` per model."""
        self.check_collector(collector)
        questions = [self._questions(collector, of_model, seed=seed) for of_model in tasks]
        return collector.collect(models, questions=questions, seed=derive(seed, "draws"), tell=on_progress)

    def _questions(self, collector: Collector, tasks: Sequence[Task], *, seed: int) -> Sequence[Any]:
        if collector.reads == "splits":
            return [self.encode(task, split="train") for task in tasks]
        names = [task.name for task in tasks]
        return self.draw_examples(tasks, examples=collector.examples, seed=derive(seed, "examples", *names))

    def with_train(self, task: Task, *, instances: Sequence[Instance]) -> ModelFamily:
        """Return the same with other training examples of a task: what a teacher has labelled; `spec` does not tell."""
        data = self.context.data.with_train(task, instances)
        return replace(self, context=replace(self.context, data=data), _splits={}, _scorers={})

    def encode(self, task: Task, *, split: Split) -> Any:
        """Return the task's instances as tokens, made once."""
        if (task.name, split) not in self._splits:
            self._splits[task.name, split] = self.new_split(task, split=split)
        return self._splits[task.name, split]

    def task_scorer(self, task: Task, *, split: Split) -> ModelScorer:
        """Return the scorer of one task's split, built once."""
        if (task.name, split) not in self._scorers:
            self._scorers[task.name, split] = self.new_scorer(task, split=split)
        return self._scorers[task.name, split]

    def num_batches(self, recipe: TrainingRecipe) -> list[int]:
        """Return each task's number of batches in an epoch that reads all its train instances once."""
        sizes = (len(self.context.data.instances(task, split="train")) for task in recipe.tasks)
        return [ceil(size / recipe.batch_size) for size in sizes]

    def scorer(self, objective: Objective, *, split: Split) -> ModelScorer:
        """Return the scorer of the objective: of one task's split, or of several and their mean."""
        if isinstance(objective, TaskMean):
            return MeanScorer({name: self.task_scorer(task, split=split) for name, task in objective.tasks.items()})
        return self.task_scorer(objective, split=split)

    def task_spec(self, objective: Objective) -> dict[str, Any]:
        """Return what of the tasks and their data affects results, as JSON."""
        if isinstance(objective, TaskMean):
            return {"mean": {name: self.task_spec(task) for name, task in objective.tasks.items()}}
        return {**objective.spec(), "data": self.context.data.digest(objective)}

    def instances(self, objective: Objective, *, split: Split) -> list[Instance]:
        """Return the instances, in the order of a scorer's answers."""
        instances = (self.context.data.instances(task, split=split) for task in tasks_of(objective))
        return [instance for of_task in instances for instance in of_task]

    @cached_property
    def tokenizer(self) -> Any:
        """Tokenizer of the base model."""
        return load_tokenizer(self.base_model.model_folder(self.context.store))

    def export_tokenizer(self, folder: Path, *, cuts: Literal["left", "right"] | None = None) -> None:
        """Write the tokenizer into a model's folder; with `truncation=True` it cuts texts where the study did."""
        tokenizer, longest = deepcopy(self.tokenizer), self.settings.max_source_tokens
        side = cuts or ("left" if self.settings.truncation == "context" else "right")
        tokenizer.init_kwargs |= {"model_max_length": longest, "truncation_side": side}  # which are written
        tokenizer.model_max_length, tokenizer.truncation_side = longest, side
        tokenizer.save_pretrained(folder)


def check_no_head_first(family: ModelFamily) -> None:
    """Raise ConfigurationError where heads are to be trained first and the family has none that could."""
    if family.context.trainer.get("head_first"):
        raise ConfigurationError(
            f"trainer.head_first=true: models of the family {family.name} have no heads to train first; set "
            "trainer.head_first=false"
        )
