"""Composed configurations as plain Python, options of groups that Hydra does not compose, and checks of both."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from dfwe.config.instantiate import bind, call
from dfwe.errors import ConfigurationError
from dfwe.io.strict_yaml import read_yaml


def plain(config: Any) -> dict[str, Any]:
    """Return the configuration as plain Python, interpolations resolved."""
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def option_file(folder: Path, name: str, *, key: str) -> dict[str, Any]:
    """Read an option of a group that Hydra did not compose.

    Raises:
        ConfigurationError: the group has no such option; `key` is where the name was said.
    """
    path = folder / f"{name}.yaml"
    if not path.is_file():
        options = ", ".join(sorted(each.stem for each in folder.glob("*.yaml")))
        raise ConfigurationError(f"unknown {key} '{name}': choose among {options}")
    return plain(OmegaConf.create(read_yaml(path)))


def check_optimizer(optimizer: Mapping[str, Any], *, lr: float) -> None:
    """Build the optimizer once on a dummy parameter, so that a wrong argument shows now."""
    call(bind(optimizer, lr=lr), [torch.nn.Parameter(torch.zeros(1))], key="trainer.optimizer")
