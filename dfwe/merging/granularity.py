"""How finely coefficients are given: one an expert, or one an expert and part of the model."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dfwe.errors import MergeError
from dfwe.merging.place import depths, layer_of
from dfwe.values.allowed import Pair, Pattern

REST = "rest"  # the group of what is in no other


class Granularity(ABC):
    """Which groups of tensors have coefficients of their own."""

    @abstractmethod
    def groups(self, tensors: Sequence[str]) -> tuple[str, ...]:
        """The groups' names, in the order of the tensors where these decide."""

    @abstractmethod
    def shares(self, tensors: Sequence[str]) -> Float[np.ndarray, "tensors groups"]:
        """How much each group's coefficients count for each tensor; rows add up to 1."""


@dataclass(frozen=True)
class ByModel(Granularity):
    """One coefficient an expert."""

    def groups(self, tensors: Sequence[str]) -> tuple[str, ...]:
        """One, without a name."""
        return ("",)

    def shares(self, tensors: Sequence[str]) -> Float[np.ndarray, "tensors groups"]:
        """All of it."""
        return np.ones((len(tensors), 1))


@dataclass(frozen=True)
class ByLayer(Granularity):
    """One coefficient an expert and layer (`encoder.block.0`); what is in no layer is the group `rest`."""

    def groups(self, tensors: Sequence[str]) -> tuple[str, ...]:
        """The layers, as their tensors come."""
        return tuple(dict.fromkeys(_layer(name) for name in tensors))

    def shares(self, tensors: Sequence[str]) -> Float[np.ndarray, "tensors groups"]:
        """One layer each."""
        return _one_of([_layer(name) for name in tensors], groups=self.groups(tensors))


@dataclass(frozen=True)
class ByPattern(Granularity):
    """One coefficient an expert and pattern: the first regular expression that is found in a tensor's name.

    What no pattern matches is the group `rest`; a pattern that matches nothing is a MergeError.
    """

    patterns: Mapping[str, Pattern]  # by the group's name, the first that matches counts

    def groups(self, tensors: Sequence[str]) -> tuple[str, ...]:
        """The patterns' names in their order, then `rest` where something is left."""
        found = {self._group(name) for name in tensors}
        for group, pattern in self.patterns.items():
            if group not in found:
                raise MergeError(f"merge.by: '{pattern}' ({group}) is in no tensor's name that is not taken before")
        return tuple(self.patterns) + ((REST,) if REST in found and REST not in self.patterns else ())

    def shares(self, tensors: Sequence[str]) -> Float[np.ndarray, "tensors groups"]:
        """One pattern each."""
        return _one_of([self._group(name) for name in tensors], groups=self.groups(tensors))

    def _group(self, tensor: str) -> str:
        try:
            return next((group for group, pattern in self.patterns.items() if re.search(pattern, tensor)), REST)
        except re.error as error:
            raise MergeError(f"merge.by.patterns: {error.pattern!r} is no regular expression ({error})") from error


@dataclass(frozen=True)
class ByDepth(Granularity):
    """Coefficients at `points` depths from the first layer to the last, interpolated linearly between them."""

    points: Pair

    def __post_init__(self) -> None:
        if self.points < 2:
            raise MergeError(f"merge.by.points must be at least 2, the first and the last layer, not {self.points}")

    def groups(self, tensors: Sequence[str]) -> tuple[str, ...]:
        """The depths: 0 is the first layer."""
        return tuple(f"depth{place / (self.points - 1):.3g}" for place in range(self.points))

    def shares(self, tensors: Sequence[str]) -> Float[np.ndarray, "tensors groups"]:
        """The two depths around the tensor's, by nearness."""
        position = np.array(list(depths(tensors).values())) * (self.points - 1)
        return np.asarray(np.maximum(0.0, 1.0 - np.abs(position[:, None] - np.arange(self.points))))


def _layer(tensor: str) -> str:
    found = layer_of(tensor)
    return REST if found is None else f"{found[0]}.{found[1]}"


def _one_of(members: Sequence[str], *, groups: tuple[str, ...]) -> Float[np.ndarray, "tensors groups"]:
    return np.array([[float(member == group) for group in groups] for member in members])
