"""Estimate the memory of stages from the configuration of their model, without its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn

from dfwe.config.instantiate import bind
from dfwe.errors import ModelError
from dfwe.families.base import ModelFamily
from dfwe.models.adapters import num_values
from dfwe.models.folders import local_folder
from dfwe.models.loading import load_config
from dfwe.models.lora import Lora
from dfwe.stages.base import Stage
from dfwe.stages.evaluate import EvaluateStage
from dfwe.stages.external_expert import ExternalExpert
from dfwe.stages.merge import MergeStage
from dfwe.stages.parent import MODEL, ParentStage, SourceParent
from dfwe.stages.train import TrainStage

_BYTES, _HALF_BYTES = 4, 2  # of a weight: models are kept in float32, copies that answer in bfloat16


def memory_of(stage: Stage) -> int | None:
    """Return the bytes that the stage's models take in each process; None where the model is not known, or it has none.

    Activations come on top, and what a merge method prepares. A training holds weights, gradients (with gradient
    surgery one per task of a step) and the optimizer's numbers, and on a CPU, while it writes a checkpoint, all but the
    gradients once more; frozen weights have none of these. An average of its weights, such as SMART's proximal point,
    comes on top, and the weights that an average takes the place of. A merge holds the experts, of LoRA their factors
    and one base, their parent where the method needs it, and the model; an evaluation the model, or what makes the
    merge. Experts on disk, and their parent with them, are no memory of the process. Weights that are loaded into a
    model are there twice for a moment. Where answers are given in bfloat16, each has a copy of the model in it, too.
    """
    if not isinstance(stage, TrainStage | MergeStage | EvaluateStage):
        return None
    numbers = num_parameters(stage.family)
    if numbers is None:
        return None
    subject = stage.subject if isinstance(stage, EvaluateStage) else stage
    values = 2.0 * numbers
    if isinstance(stage, TrainStage) and stage.trains:
        values = _values_in_training(stage, numbers=numbers)
    elif isinstance(subject, MergeStage):
        values += _values_of_experts(subject, numbers=numbers)
    return round(_BYTES * values + _HALF_BYTES * numbers * (stage.family.half is not None))


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
        model = _model_without_storage(folder, auto_class)
    except (ModelError, ValueError):  # whoever makes the stage says what is wrong
        return None
    return sum(int(parameter.numel()) for parameter in model.parameters())


@cache
def _count_factors(folder: Path, auto_class: str, lora: Lora) -> int:
    """Count the values of the factors that are trained in such a model."""
    model = _model_without_storage(folder, auto_class)
    lora.add_factors(model, seed=0)
    return sum(int(parameter.numel()) for parameter in model.parameters() if parameter.requires_grad)


def _model_without_storage(folder: Path, auto_class: str) -> nn.Module:
    with torch.device("meta"):
        model: nn.Module = getattr(transformers, auto_class).from_config(load_config(folder))
    return model


def _values_in_training(stage: TrainStage, *, numbers: int) -> float:
    """Return how many values a training of a model with so many weights holds; frozen ones have none beside them."""
    trainer, context = stage.family.context.trainer, stage.family.context
    trained = numbers if stage.lora is None else _num_factors(stage)
    averaging = stage.recipe.fit.get("averaging")
    averaged = 0 if averaging is None else trained * int(averaging.get("epochs", 1))
    options = stage.recipe.options
    proximal = trained if (options.get("smart") or {}).get("proximal") else 0
    stored = trained * (1 + _numbers_per_weight(trainer)) + averaged + proximal
    is_surgery = options.get("surgery") is not None and options["schedule"] == "joint"
    gradients = trained * (len(stage.recipe.tasks) if is_surgery else 1)
    writes = trainer["checkpoint"] and context.device.type == "cpu"  # Lightning writes it in memory first
    frozen, last = (0 if stage.lora is None else numbers), (0 if averaging is None else trained)
    return frozen + stored + gradients + last + (stored if writes else 0)


def _values_of_experts(merge: MergeStage, *, numbers: int) -> int:
    """Return how many values a merge's experts hold in memory, with their parent; adapters are there in any case."""
    factors = [_num_adapter_values(stage) for stage in merge.experts.values()]
    values = sum(number for number in factors if number is not None)
    if merge.on_disk:
        return values
    whole = factors.count(None)
    has_base = whole < len(factors) or merge.method.properties.needs_parent
    return values + numbers * (whole + has_base)


def _num_adapter_values(stage: TrainStage) -> int | None:
    """Return how many values an expert's adapter has; None for a whole model."""
    if isinstance(stage, ExternalExpert):
        return num_values(stage.external.path) if stage.external.form == "adapter" and not stage.aligns else None
    return None if stage.lora is None else _num_factors(stage)


def _num_factors(stage: TrainStage) -> int:
    folder, lora = _config_folder(stage.family), stage.lora
    assert folder is not None, "the number of weights is known"
    assert lora is not None
    targets = lora.targets if isinstance(lora.targets, str) else tuple(lora.targets)
    return _count_factors(folder, stage.family.auto_class, replace(lora, targets=targets))


def _numbers_per_weight(trainer: Mapping[str, Any]) -> float:
    """Return how many numbers the optimizer keeps per weight, by a step on a small matrix."""
    weight = nn.Parameter(torch.zeros(64, 64))
    weight.grad = torch.zeros_like(weight)
    optimizer = bind(trainer["optimizer"], lr=0.1)([weight])
    optimizer.step()
    values = optimizer.state[weight].values()
    return sum(value.numel() for value in values if isinstance(value, torch.Tensor) and value.dim()) / weight.numel()
