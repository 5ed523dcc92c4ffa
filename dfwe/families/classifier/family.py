"""The family of classifiers (`AutoModelForSequenceClassification`): one shared encoder, one head per task."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytorch_lightning as pl
from torch import nn
from transformers import PreTrainedModel

from dfwe.config.tasks import Task
from dfwe.errors import ModelError
from dfwe.families.base import HeadTraining, TrainingRecipe
from dfwe.families.batching import loss_weights
from dfwe.families.classifier.model import (
    Classifier,
    are_answers,
    check_labels,
    copy_head,
    has_head,
    have_same_labels,
    labels_of,
    load_classifier,
    order_outputs,
    output_layer,
    parameters_of_head,
)
from dfwe.families.classifier.tasks import answers_of, classification_task
from dfwe.families.classifier.tokenization import encode_instances
from dfwe.families.encoder.data import SentenceSplit
from dfwe.families.encoder.datamodule import sentence_data
from dfwe.families.encoder.family import EncoderFamily
from dfwe.families.encoder.linear_probe import head_trainings, write_head
from dfwe.families.encoder.model import HEADS
from dfwe.models.external import Align, ExternalModel, check_brings
from dfwe.models.loading import load_config
from dfwe.records import Split

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClassifierFamily(EncoderFamily):
    """Encoders with a head per task that chooses one of the task's labels, or gives a number.

    The encoder and the target's head are merged. With `trainer.head_first` each task's head is first fitted to the
    frozen encoder, once, and every model that has it starts from there: experts whose heads are fresh end too far from
    each other to be averaged (Kumar et al. 2022; Ramé et al. 2023).

    Where training is in mixed precision, dev splits with a closed set of answers are answered by a copy in bfloat16,
    but for the candidates that a search keeps; test splits never are.
    """

    head_of: ExternalModel | None = None  # a classifier whose head models start with: none is drawn

    name: ClassVar[str] = "classifier"
    auto_class: ClassVar[str] = "AutoModelForSequenceClassification"
    optional_prefix: ClassVar[str | None] = HEADS

    def settings_spec(self) -> dict[str, Any]:
        """Return the family's own part of `spec`; heads follow from the tasks, which stages name."""
        trainer = self.context.trainer
        return {
            "heads_seed": self.settings.seed,
            "head_probe": dict(trainer["head_probe"]) if trainer["head_first"] else None,
            "max_words": self.context.data.max_words,
            "max_tokens": self.settings.max_source_tokens,
            **({"truncation": self.settings.truncation} if self.settings.truncation != "context" else {}),
            **({"dev_copy": "bfloat16"} if self.half else {}),
            **({"head_of": self.head_of.identity} if self.head_of else {}),
        }

    @staticmethod
    def adapt(task: Task) -> Task:
        """Return the task with a closed set of answers, or with numbers; ConfigurationError for any other."""
        return classification_task(task)

    def decoding(self, task: Task) -> str:
        """Return `labels`, or `numbers` of a task whose answer is one."""
        return "labels" if answers_of(task) else "numbers"

    def head_trainings(self, tasks: Sequence[Task]) -> tuple[HeadTraining, ...]:
        """Return a linear probe per task where `trainer.head_first` asks for it."""
        return head_trainings(self, map(classification_task, tasks), train=self._train_head)

    def plain_network(self, model: Classifier) -> PreTrainedModel:
        """Return the model for sequence classification of the target."""
        network: PreTrainedModel = model.plain(self.tasks[0].short)
        return network

    def can_be_asked(self, external: ExternalModel) -> bool:
        """Return whether it is a classifier with the target's labels: a plain encoder has no head."""
        if external.form != "model" or not has_head(external.name):
            return False
        return are_answers(labels_of(external.name), answers=answers_of(self.tasks[0]))

    def starting_from(self, external: ExternalModel) -> ClassifierFamily:
        """Return the same whose models start with a base model's head, where it has one with the target's labels."""
        return replace(self, head_of=external) if self.can_be_asked(external) else self

    def check_external(self, external: ExternalModel) -> None:
        """Check that a model has the target's labels, in whatever order; errors as in the base class."""
        if labels := self._labels(external):
            check_labels(labels, answers=answers_of(self.tasks[0]))
        place = external.configured_in
        if place is not None and load_config(place).problem_type == "multi_label_classification":
            message = "%s gives several labels per example: here, and in exported models, the most likely one counts"
            log.warning(message, external.name)

    def outputs_of(self, external: ExternalModel) -> tuple[str, ...]:
        """Return the labels of a model's outputs, where they come in another order than the target's."""
        labels, answers = self._labels(external), answers_of(self.tasks[0])
        return labels if have_same_labels(labels, answers) and labels != tuple(answers) else ()

    def copy_external(self, model: Classifier, external: ExternalModel, *, align: Align | None = None) -> None:
        """Copy the weights, the outputs put into the order of the target's labels; one that names none has that order.

        Raises:
            ModelError: the weights do not fit, the labels are not the target's, or there is no head.
        """
        network, answers = model.network(self.tasks[0].short), answers_of(self.tasks[0])
        labels, is_adapter = self._labels(external), external.form == "adapter"
        if is_adapter and self.head_of is not None:
            copy_head(network, self.head_of.name, answers=())  # as the adapter was trained on it
        elif is_adapter:
            plain = self.plain_network(model)
            check_brings(external, parameters_of_head(plain), network=plain)
        super().copy_external(model, external, align=align)
        if labels:
            order_outputs(network, labels, answers=answers)
        if answers and not have_same_labels(labels, answers):
            log.warning("%s does not name its labels: its outputs are taken as %s", external.name, ", ".join(answers))

    def _labels(self, external: ExternalModel) -> tuple[str, ...]:
        """Return the labels of a model by its configuration, an adapter's by its base model's; none where unknown."""
        configured = self.head_of if external.form == "adapter" else external
        place = configured and configured.configured_in
        return labels_of(place) if place and (external.form == "model" or has_head(place)) else ()

    def export(self, model: Classifier, folder: Path, *, max_shard_size: str) -> dict[str, Any]:
        """Write a folder that `AutoModelForSequenceClassification` loads, with the target's labels."""
        model.plain(self.tasks[0].short).save_pretrained(folder, max_shard_size=max_shard_size)
        self.export_tokenizer(folder)
        return {
            "max_words": self.context.data.max_words,
            "max_source_tokens": self.settings.max_source_tokens,
            "max_target_tokens": 1,  # it writes none
            "truncation": self.settings.truncation,
            "decode": self.settings.decode,
        }

    def module(self, model: nn.Module, recipe: TrainingRecipe, *, seed: int) -> pl.LightningModule:
        """Return a module whose losses are weighted as in the paper's mixtures, 1 / sqrt(batches) per task."""
        names, weights = [task.short for task in recipe.tasks], loss_weights(self.num_batches(recipe))
        return self.multi_task(model, recipe, weights=dict(zip(names, weights, strict=True)))

    def training_data(self, recipe: TrainingRecipe, *, seed: int) -> pl.LightningDataModule:
        """Return a mixture of the batches of the tasks' train splits."""
        return sentence_data(
            [self.encode(task, split="train") for task in recipe.tasks],
            schedule="proportional",
            joint_epoch="shortest",
            batch_size=recipe.batch_size,
            group_batches=self.context.trainer["group_batches"],
            seed=seed,
        )

    def new_split(self, task: Task, *, split: Split) -> SentenceSplit:
        """Return the task's instances with their tokens."""
        return encode_instances(
            self.context.data.instances(task, split=split),
            task=task.short,
            labels=task.labels,
            tokenizer=self.tokenizer,
            max_tokens=self.settings.max_source_tokens,
            max_truncated_fraction=self.settings.max_truncated_fraction,
            truncation=self.settings.truncation,
        )

    def fresh_model(self, tasks: Sequence[Task]) -> Classifier:
        """Return a fresh copy of the base encoder with heads of these tasks."""
        answers = {task.short: answers_of(classification_task(task)) for task in tasks}
        folder = self.base_model.model_folder(self.context.store)
        model = load_classifier(folder, answers=answers, seed=self.settings.seed)
        if self.head_of is not None:
            target = self.tasks[0].short
            copy_head(model.network(target), self.head_of.name, answers=answers[target])
        return model

    def _train_head(self, task: Task, folder: Path) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Fit the task's head and write it; see `write_head`."""
        model = self.fresh_model((task,))
        layer, module = output_layer(model.network(task.short))
        if module.bias is None:  # of a decoder, which reads every position
            raise ModelError("the heads of decoders cannot be trained first: set trainer.head_first=false")
        return write_head(self, task, model=model, layer=layer, folder=folder)
