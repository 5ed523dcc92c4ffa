"""Loading with Transformers: no code of a repository or a folder runs, and no pickle is loaded without bounds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from transformers import AutoConfig, AutoTokenizer

from dfwe.errors import ModelError

T = TypeVar("T")


def load_weights_of(auto: Any, name: str | Path, **where: Any) -> Any:
    """The model that an Auto class of Transformers builds from a folder or a repository, in float32.

    Raises:
        ModelError: it needs code of its own.
    """
    return _safely(auto.from_pretrained, name, dtype=torch.float32, weights_only=True, **where)


def load_tokenizer(name: str | Path, **where: Any) -> Any:
    """The tokenizer in a folder or a repository; ModelError where it needs code of its own."""
    return _safely(AutoTokenizer.from_pretrained, name, **where)


def load_config(name: str | Path) -> Any:
    """The model's configuration there; ModelError where it needs code of its own."""
    return _safely(AutoConfig.from_pretrained, name)


def _safely(load: Callable[..., T], name: str | Path, **arguments: Any) -> T:
    # left open, `trust_remote_code` is a question on the terminal
    try:
        return load(name, trust_remote_code=False, **arguments)
    except ValueError as error:
        if "trust_remote_code" not in str(error):
            raise
        raise ModelError(f"'{name}' needs code of its own to be loaded, and no model's code is run here") from error
