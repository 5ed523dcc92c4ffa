"""Sources of a parent's weights: each writes one Hugging Face folder, once, seeded."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from dfwe.errors import ModelError
from dfwe.models.loading import check_tokenizer


class WeightSource(ABC):
    """A way to come by a parent: fresh weights, a package, the Hub or a local folder."""

    @abstractmethod
    def identity(self) -> Mapping[str, Any]:
        """Return what decides the weights beside the seed and the texts; part of the parent's digest."""

    @abstractmethod
    def build(self, folder: Path, *, seed: int, texts: Iterable[str]) -> None:
        """Write model, configuration and tokenizer; `texts` trains a tokenizer where the source needs one."""


def save_parent(model: Any, *, tokenizer: Any, folder: Path, source: str) -> None:
    """Write the model, in float32, and its tokenizer into the folder; ModelError where those of `source` do not fit."""
    check_tokenizer(tokenizer, model=model, where=source)
    try:
        model.to(torch.float32).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    except (ValueError, TypeError, KeyError, AttributeError) as error:  # what no file of theirs can hold
        raise ModelError(f"{source} cannot be written as a model of one's own: {error}") from error
