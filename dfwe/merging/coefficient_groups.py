"""Group tensors that share coefficients: the whole model, each layer, or tensors whose names match a pattern."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dfwe.errors import MergeError
from dfwe.merging.base import layer_of
from dfwe.values.allowed import Pattern

REST = "rest"  # group of the tensors that belong to no other


class CoefficientGroups(ABC):
    """Assign every tensor to a group; each group has one coefficient per expert."""

    @abstractmethod
    def group_of(self, tensor: str) -> str:
        """Return the name of the tensor's group."""

    def names(self, tensors: Sequence[str]) -> tuple[str, ...]:
        """Return the groups' names in the order in which coefficients are given, that of their first tensors."""
        return tuple(dict.fromkeys(map(self.group_of, tensors)))

    def indices(self, tensors: Sequence[str]) -> list[int]:
        """Return the position of each tensor's group among the groups' names."""
        positions = {name: position for position, name in enumerate(self.names(tensors))}
        return [positions[self.group_of(tensor)] for tensor in tensors]


@dataclass(frozen=True)
class ByModel(CoefficientGroups):
    """Group all tensors: one coefficient per expert."""

    def group_of(self, tensor: str) -> str:
        """Return the empty name."""
        return ""


@dataclass(frozen=True)
class ByLayer(CoefficientGroups):
    """Group tensors by layer (`encoder.block.0`); those outside of layers are the group `rest`."""

    def group_of(self, tensor: str) -> str:
        """Return the name of the tensor's layer."""
        layer = layer_of(tensor)
        return REST if layer is None else f"{layer[0]}.{layer[1]}"


@dataclass(frozen=True)
class ByPattern(CoefficientGroups):
    """Group tensors by the first regular expression that matches their name; the others are the group `rest`."""

    patterns: Mapping[str, Pattern]  # by the group's name

    def names(self, tensors: Sequence[str]) -> tuple[str, ...]:
        """Return the patterns' names, and `rest` if needed; raise MergeError for a pattern that no tensor matches."""
        groups = set(map(self.group_of, tensors))
        for group, pattern in self.patterns.items():
            if group not in groups:
                raise MergeError(f"merge.by.patterns.{group}: '{pattern}' matches no tensor that is left for it")
        return tuple(self.patterns) + ((REST,) if REST in groups and REST not in self.patterns else ())

    def group_of(self, tensor: str) -> str:
        """Return the name of the first pattern that matches."""
        try:
            return next((group for group, pattern in self.patterns.items() if re.search(pattern, tensor)), REST)
        except re.error as error:
            raise MergeError(f"merge.by.patterns: {error.pattern!r} is not a regular expression ({error})") from error
