"""Composed configurations as plain Python, and checks that both kinds of study make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from dfwe.config.instantiate import bind, call
from dfwe.config.task_data import StudyData, shots_by_task
from dfwe.config.tasks import Task
from dfwe.errors import ConfigurationError
from dfwe.store.older import warn_of_older
from dfwe.store.store import Store
from dfwe.strict_yaml import read_yaml
from dfwe.training.precision import resolve_precision


@dataclass(frozen=True)
class Basis:
    """What every kind of study begins with; `trainer` and `model` are plain configurations."""

    store: Store
    data: StudyData
    trainer: Mapping[str, Any]
    model: Mapping[str, Any]
    precision: str
    logger: Any


def basis(config: DictConfig, *, tasks: Sequence[Task]) -> Basis:
    """The basis that a composed configuration describes; also sets torch's threads.

    Raises:
        ConfigurationError: what the optimizer or the logger is made of, or the shots of a task, cannot be.
    """
    trainer, data = plain(config.trainer), plain(config.data)
    if trainer["threads"]:
        torch.set_num_threads(trainer["threads"])
    check_optimizer(trainer["optimizer"], lr=0.1)
    store = Store(Path(config.paths.store).expanduser().resolve())
    warn_of_older(store.root)
    shots = shots_by_task(data["shots"], seed=config.data.shots_seed, tasks=tasks)
    return Basis(
        store,
        StudyData(store, data, max_words=config.data.max_words, seed=config.seed, shots=shots),
        trainer,
        plain(config.model),
        resolve_precision(trainer["precision"], accelerator=trainer["accelerator"]),
        bind(config.logger) if config.logger else False,
    )


def plain(config: Any) -> dict[str, Any]:
    """The configuration as plain Python, interpolations resolved."""
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def option_file(folder: Path, name: str, *, key: str) -> dict[str, Any]:
    """What an option of a group holds that Hydra did not compose.

    Raises:
        ConfigurationError: the group has no such option; `key` is where the name was said.
    """
    path = folder / f"{name}.yaml"
    if not path.is_file():
        options = ", ".join(sorted(each.stem for each in folder.glob("*.yaml")))
        raise ConfigurationError(f"unknown {key} '{name}': choose among {options}")
    return plain(OmegaConf.create(read_yaml(path)))


def check_optimizer(optimizer: Mapping[str, Any], *, lr: float) -> None:
    """Builds the optimizer once on a dummy parameter, so that a wrong argument shows now."""
    call(bind(optimizer, lr=lr), [torch.nn.Parameter(torch.zeros(1))], key="trainer.optimizer")
