"""What processes that work together tell each other; no Lightning is needed to read it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, TypeVar

import torch
from torch import distributed

Value = TypeVar("Value")


class Processes(ABC):
    """Processes that work on one study together, connected by torch."""

    @property
    @abstractmethod
    def rank(self) -> int:
        """Number of this process, from 0."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of all processes."""

    def from_first(self, value: Value) -> Value:
        """Return rank 0's value; all processes call this together."""
        values = [value]
        distributed.broadcast_object_list(values, src=0, device=torch.device("cpu"))
        return values[0]

    def gather(self, value: Value) -> list[Value]:
        """Return every process's value, by rank; all processes call this together."""
        values: list[Any] = [None] * self.size
        distributed.all_gather_object(values, value)
        return values
