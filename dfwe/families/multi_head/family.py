"""The family of encoders with one head per task: those of "Cuts and Stitches"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytorch_lightning as pl
from safetensors.torch import save_file
from torch import nn

from dfwe.config.consistency import changed_head
from dfwe.config.instantiate import bind, call
from dfwe.config.tasks import Task
from dfwe.data.prompts.template import Sentences, Template
from dfwe.errors import ConfigurationError
from dfwe.families.base import HeadTraining, TrainingRecipe
from dfwe.families.datamodule import EpochData
from dfwe.families.encoder.data import SentenceSplit
from dfwe.families.encoder.datamodule import sentence_data
from dfwe.families.encoder.family import EncoderFamily
from dfwe.families.encoder.gradient_surgery import Surgery
from dfwe.families.encoder.linear_probe import head_trainings, write_head
from dfwe.families.multi_head.model import HeadSpecs, MultiHead, load_multi_head
from dfwe.families.multi_head.tokenization import tokenise_sentences
from dfwe.records import Split
from dfwe.seeding import derive

HEADS_FILE = "heads.safetensors"
_OPTIONS = frozenset({"schedule", "joint_epoch", "surgery", "weights", "smart"})


@dataclass(frozen=True)
class MultiHeadFamily(EncoderFamily):
    """Models of one encoder that tasks share, and one head per task.

    `training` are the options of a training that sets none: `schedule`, `joint_epoch`, `surgery`, `weights` (of tasks,
    by short names) and `smart`, as conf/multitask explains them. `heads` are changes to the heads' configurations.
    """

    name: ClassVar[str] = "multi_head"
    takes_external: ClassVar[bool] = False
    auto_class: ClassVar[str] = "AutoModel"  # the encoder alone
    training: Mapping[str, Any]
    heads: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.context.trainer.get("head_first"):
            self._check_linear()

    def with_heads(self, heads: Mapping[str, Mapping[str, Any]]) -> MultiHeadFamily:
        """Return the same with these changes to the heads; their sentences and scorers are shared."""
        return replace(self, heads=heads)

    def settings_spec(self) -> dict[str, Any]:
        """Return the family's own part of `spec`."""
        trainer = self.context.trainer
        return {
            "heads": {task.short: self._head_config(task) for task in self.tasks},
            "heads_seed": self.settings.seed,
            "max_tokens": self.settings.max_source_tokens,
            **({"head_probe": dict(trainer["head_probe"])} if trainer["head_first"] else {}),
        }

    @staticmethod
    def adapt(task: Task) -> Task:
        """Return the task asked as sentences for a head instead of as one text.

        Raises:
            ConfigurationError: it has no head, or is not a task of rows.
        """
        if task.head is None:
            raise ConfigurationError(
                f"the task '{task.short}' has no head: give its YAML a `head:` section (docs/multi-task.md), "
                "or choose a model of another family, for instance model=minilm"
            )
        if not isinstance(task.prompt, Template):
            raise ConfigurationError(f"the task '{task.short}' is not a task of rows (Template): a head cannot read it")
        return replace(task, prompt=Sentences(task=task.name, columns=task.head["columns"], answer=task.prompt.answer))

    def decoding(self, task: Task) -> str:
        """Return `labels`, or `numbers` of a task without labels."""
        return "labels" if task.labels else "numbers"

    def head_trainings(self, tasks: Sequence[Task]) -> tuple[HeadTraining, ...]:
        """Return a linear probe per task of the study where `trainer.head_first` asks for it: models have all heads."""
        return head_trainings(self, self.tasks, train=self._train_head)

    @property
    def half(self) -> None:
        """None: heads answer in float32, whatever they are trained in."""
        return None

    def export(self, model: MultiHead, folder: Path, *, max_shard_size: str) -> dict[str, Any]:
        """Write the encoder as a folder that `AutoModel` loads, and the heads' weights beside it."""
        model.encoder.save_pretrained(folder, max_shard_size=max_shard_size)
        self.export_tokenizer(folder, cuts="right")  # whatever `data.truncation` says: sentences have no context
        save_file({name: value.contiguous() for name, value in model.heads.state_dict().items()}, folder / HEADS_FILE)
        return {"max_source_tokens": self.settings.max_source_tokens, "decode": self.settings.decode}

    @property
    def options(self) -> Mapping[str, Any]:
        """Options of a training that sets none."""
        return self.training

    def check_recipe(self, recipe: TrainingRecipe) -> None:
        """Bind what the training needs, so that a wrong argument shows before any training."""
        if wrong := set(recipe.options) ^ _OPTIONS:
            raise ConfigurationError(f"{recipe.name}: training has the options {', '.join(sorted(_OPTIONS))}: {wrong}")
        self._surgery(recipe, seed=0)
        if recipe.options["smart"] is not None:
            bind(recipe.options["smart"])
        assert self.specs

    def module(self, model: nn.Module, recipe: TrainingRecipe, *, seed: int) -> pl.LightningModule:
        """Return MultiTask with the recipe's surgery and SMART."""
        options = recipe.options
        return self.multi_task(
            model,
            recipe,
            surgery=self._surgery(recipe, seed=seed),
            smart=None if options["smart"] is None else bind(options["smart"]),
            weights={task.short: float(options["weights"].get(task.short, 1.0)) for task in recipe.tasks},
        )

    def training_data(self, recipe: TrainingRecipe, *, seed: int) -> EpochData:
        """Return the batches of the tasks' train splits in their turns."""
        data: EpochData = call(
            sentence_data,
            [self.encode(task, split="train") for task in recipe.tasks],
            schedule=recipe.options["schedule"],
            joint_epoch=recipe.options["joint_epoch"],
            batch_size=recipe.batch_size,
            group_batches=self.context.trainer["group_batches"],
            seed=seed,
            key="multitask.training",
        )
        return data

    def num_steps(self, recipe: TrainingRecipe, *, epochs: int) -> int:
        """Return the optimizer's steps: as many as `plan_epoch` plans."""
        counts = self.num_batches(recipe)
        if recipe.options["schedule"] != "joint":
            return epochs * sum(counts)
        return epochs * (min(counts) if recipe.options["joint_epoch"] == "shortest" else max(counts))

    def num_tokens(self, recipe: TrainingRecipe, *, epochs: int, seed: int) -> int:
        """Return the tokens that the encoder reads; SMART's passes count.

        Epochs are planned again: in a joint epoch not every example is read.
        """
        data = self.training_data(recipe, seed=seed)
        splits = [self.encode(task, split="train") for task in recipe.tasks]
        lengths = [np.array([sum(map(len, example)) for example in split.tokens]) for split in splits]
        plans = [data.plan(epoch) for epoch in range(epochs)]
        tokens = sum(int(lengths[task][members].sum()) for plan in plans for step in plan for task, members in step)
        passes: int = 1 if recipe.options["smart"] is None else bind(recipe.options["smart"]).passes
        return tokens * passes

    @cached_property
    def specs(self) -> HeadSpecs:
        """Heads and their labels by task; raises what their classes raise for wrong arguments."""
        return {task.short: (bind(self._head_config(task)), task.labels) for task in self.tasks}

    def new_split(self, task: Task, *, split: Split) -> SentenceSplit:
        """Return the task's instances with their tokens."""
        return tokenise_sentences(
            self.context.data.instances(task, split=split),
            task=task.short,
            labels=task.labels,
            tokenizer=self.tokenizer,
            max_tokens=self.settings.max_source_tokens,
            max_truncated_fraction=self.settings.max_truncated_fraction,
        )

    def _check_linear(self) -> None:
        """Raise ConfigurationError for a head that a linear probe cannot be."""
        for task, (spec, _) in self.specs.items():
            if not spec.is_linear:
                raise ConfigurationError(
                    f"trainer.head_first=true: the head of {task} is more than the linear layer that a linear probe "
                    "is; set trainer.head_first=false and trainer.train.fresh_first={epochs: 2, learning_rate: 1e-3}, "
                    "which trains any head on the frozen encoder"
                )

    def fresh_model(self, tasks: Sequence[Task]) -> MultiHead:
        """Return a fresh copy of the base encoder with the heads that every model of the study starts from."""
        folder = self.base_model.model_folder(self.context.store)
        return load_multi_head(folder, specs=self.specs, seed=self.settings.seed)

    def _train_head(self, task: Task, folder: Path) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Fit the task's head and write it; see `write_head`."""
        return write_head(self, task, model=self.fresh_model((task,)), layer="output", folder=folder)

    def _surgery(self, recipe: TrainingRecipe, *, seed: int) -> Surgery | None:
        config = recipe.options["surgery"]
        return None if config is None else bind(config, seed=derive(seed, "surgery"))

    def _head_config(self, task: Task) -> dict[str, Any]:
        """Return the task's head with the changes to it."""
        if task.head is None:
            self.adapt(task)  # raises
        assert task.head is not None
        return changed_head(task.head, self.heads.get(task.short, {}))
