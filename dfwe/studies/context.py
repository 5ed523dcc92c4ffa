"""From a configuration to what the stages of a study share: context, family and base model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from dfwe.config.instantiate import bind, check_optimizer, plain
from dfwe.config.task_data import Corpora, StudyData, shots_by_task
from dfwe.config.tasks import Task
from dfwe.errors import ConfigurationError
from dfwe.families.base import FamilySettings, ModelFamily, StudyContext
from dfwe.models.lora import Lora
from dfwe.stages.base import Stage
from dfwe.stages.parent import make_family, parent_stages
from dfwe.store.inventory import warn_of_older
from dfwe.store.store import Store
from dfwe.studies.aligned_source import with_aligned_source
from dfwe.training.precision import resolve_precision


def load_context(config: DictConfig, *, tasks: Sequence[Task], corpora: Corpora | None = None) -> StudyContext:
    """Return the context that a composed configuration describes; also sets torch's threads.

    Raises:
        ConfigurationError: the optimizer, the logger or the shots of a task cannot be what the configuration says.
    """
    trainer, data = plain(config.trainer), plain(config.data)
    if trainer["threads"]:
        torch.set_num_threads(trainer["threads"])
    check_optimizer(trainer["optimizer"], lr=0.1)
    store = Store(Path(config.paths.store).expanduser().resolve())
    warn_of_older(store.root)
    candidates = {name for short, task in config.sources.items() for name in (short, task.name)}  # of any subset
    shots = shots_by_task(data["shots"], seed=config.data.shots_seed, tasks=tasks, unused=candidates)
    corpora = corpora or Corpora()
    return StudyContext(
        store,
        StudyData(store, data, max_words=config.data.max_words, seed=config.seed, shots=shots, corpora=corpora),
        trainer,
        resolve_precision(trainer["precision"], accelerator=trainer["accelerator"]),
        bind(config.logger) if config.logger else False,
    )


def study_family(
    config: DictConfig, *, tasks: Sequence[Task], corpora: Corpora | None = None
) -> tuple[ModelFamily, tuple[Stage, ...]]:
    """Return the family of the study's models, and the stages that make its base model.

    `tasks` are all that may be asked of the data; `corpora` are those that other studies share, if there are some.
    Raises ConfigurationError for settings that cannot work.
    """
    if config.tokenizer is not None:
        config = with_aligned_source(config)
    context, model = load_context(config, tasks=tasks, corpora=corpora), plain(config.model)
    if model["device_map"] is not None:
        context = replace(context, precision="32-true")  # a copy in bfloat16 would have to be spread, too
    parent, stages = parent_stages(model, context=context)
    settings = FamilySettings(
        seed=model["seed"],
        max_source_tokens=model["max_source_tokens"],
        max_target_tokens=model["max_target_tokens"],
        truncation=config.data.truncation,
        max_truncated_fraction=config.data.max_truncated_fraction,
        decode=config.decode,
        reference=plain(config.decoding.reference),
        lora=None if model["lora"] is None else Lora(**model["lora"]),
        placement=_placement(model),
    )
    family = make_family(model, context=context, base_model=parent, tasks=tuple(tasks), settings=settings)
    if settings.lora is not None:
        _check_lora(settings.lora, family=family)
    if settings.placement is not None and not family.takes_device_map:
        raise ConfigurationError(
            f"model.device_map={model['device_map']}: models of the family {family.name} lie on one device; set "
            "model.device_map=null, or choose a model of the family causal_lm"
        )
    return family, stages


def _placement(model: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return Transformers' arguments that spread a model over devices, if it is to be."""
    if model["device_map"] is None:
        return None
    return {key: model[key] for key in ("device_map", "max_memory") if model[key] is not None}


def _check_lora(lora: Lora, *, family: ModelFamily) -> None:
    if not family.takes_lora:
        raise ConfigurationError(
            f"model.lora: models of the family {family.name} train all their weights; set model.lora=null, or choose a "
            "model of the family seq2seq or causal_lm"
        )
    lora.check_installed()
