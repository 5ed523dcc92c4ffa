"""Composed configurations as plain Python, and checks that both kinds of study make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from omegaconf import OmegaConf

from dfwe.stages.binding import bind, call


def plain(config: Any) -> dict[str, Any]:
    """The configuration as plain Python, interpolations resolved."""
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def check_optimizer(optimizer: Mapping[str, Any], *, lr: float) -> None:
    """Builds the optimizer once on a dummy parameter, so that a wrong argument shows now."""
    call(bind(optimizer, lr=lr), [torch.nn.Parameter(torch.zeros(1))], key="trainer.optimizer")
