"""Estimate the memory of stages from the configuration of their model, without its weights."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn

from dfwe.config.instantiate import bind
from dfwe.errors import ModelError
from dfwe.families.base import ModelFamily
from dfwe.families.text.family import TextFamily
from dfwe.models.folders import local_folder
from dfwe.models.loading import load_config
from dfwe.stages.base import Stage
from dfwe.stages.evaluate import EvaluateStage
from dfwe.stages.merge import MergeStage
from dfwe.stages.parent import MODEL, ParentStage, SourceParent
from dfwe.stages.train import TrainStage

_BYTES, _HALF_BYTES = 4, 2  # of a weight: models are kept in float32, copies that answer in bfloat16


def memory_of(stage: Stage) -> int | None:
    """Return the bytes that the stage's models take in each process; None where the model is not known, or it has none.

    Activations come on top, and what a merge method prepares. A training holds weights, gradients and the optimizer's
    numbers, and on a CPU, while it writes a checkpoint, all but the gradients once more; a merge the experts, their
    parent where the method needs it, and the model; an evaluation the model, or what makes the merge. Weights that are
    loaded into a model are there twice for a moment. Where answers are given in bfloat16, a copy of the model in it
    comes to each of these.
    """
    if not isinstance(stage, TrainStage | MergeStage | EvaluateStage):
        return None
    numbers = num_parameters(stage.family)
    if numbers is None:
        return None
    subject = stage.subject if isinstance(stage, EvaluateStage) else stage
    models = 2.0
    if isinstance(stage, TrainStage):
        models = _models_in_training(stage.family.context.trainer, on_cpu=stage.family.context.device.type == "cpu")
    elif isinstance(subject, MergeStage):
        models += len(subject.experts) + subject.method.properties.needs_parent
    has_copy = isinstance(stage.family, TextFamily) and stage.family.context.precision == "bf16-mixed"
    return round(numbers * (_BYTES * models + _HALF_BYTES * has_copy))


def num_parameters(family: ModelFamily) -> int | None:
    """Return the number of weights of the family's models, heads of tasks aside; None where no file says it yet.

    It is known once the parent is in the store, and before that of a local folder.
    """
    folder = _config_folder(family)
    return None if folder is None else _count_parameters(folder, family.auto_class)


def _config_folder(family: ModelFamily) -> Path | None:
    parent = family.base_model
    if not isinstance(parent, ParentStage):
        return None
    entry = parent.find(family.context.store)
    if entry is not None:
        return entry.folder / MODEL
    name = getattr(parent.source, "name", None) if isinstance(parent, SourceParent) else None
    return local_folder(name) if isinstance(name, str) else None


@cache
def _count_parameters(folder: Path, auto_class: str) -> int | None:
    """Count the weights of a model without storage."""
    try:
        with torch.device("meta"):
            model = getattr(transformers, auto_class).from_config(load_config(folder))
    except (ModelError, ValueError):  # whoever makes the stage says what is wrong
        return None
    return sum(int(parameter.numel()) for parameter in model.parameters())


def _models_in_training(trainer: Mapping[str, Any], *, on_cpu: bool) -> float:
    """Return the memory of a training, in models."""
    weights_and_optimizer = 1 + _numbers_per_weight(trainer)
    checkpoint = weights_and_optimizer if trainer["checkpoint"] and on_cpu else 0  # Lightning writes it in memory first
    return weights_and_optimizer + 1 + checkpoint


def _numbers_per_weight(trainer: Mapping[str, Any]) -> float:
    """Return how many numbers the optimizer keeps per weight, by a step on a small matrix."""
    weight = nn.Parameter(torch.zeros(64, 64))
    weight.grad = torch.zeros_like(weight)
    optimizer = bind(trainer["optimizer"], lr=0.1)([weight])
    optimizer.step()
    values = optimizer.state[weight].values()
    return sum(value.numel() for value in values if isinstance(value, torch.Tensor) and value.dim()) / weight.numel()
