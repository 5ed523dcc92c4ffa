"""Where a tensor stands in a model: its name, and how deep it lies."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_LAYER = re.compile(r"\.(\d+)\.")


@dataclass(frozen=True)
class Place:
    """A tensor's name and its depth: 0 for the first layer of its stack and what is in no layer, 1 for the last."""

    tensor: str
    depth: float


def depths(names: Iterable[str]) -> dict[str, float]:
    """How deep each tensor lies: 0 for the first layer of its stack and for what is in no layer, 1 for the last.

    As mergekit counts: the first number in a tensor's name is its layer, what stands before it the stack, and a
    stack's only layer has depth 1.
    """
    last: dict[str, int] = {}
    found = dict.fromkeys(names, 0.0)
    layers = {name: place for name in found if (place := layer_of(name))}
    for stack, layer in layers.values():
        last[stack] = max(layer, last.get(stack, 0))
    return found | {name: layer / last[stack] if last[stack] else 1.0 for name, (stack, layer) in layers.items()}


def layer_of(name: str) -> tuple[str, int] | None:
    """The stack and the number of the layer that the tensor is part of; None where it is in no layer."""
    match = _LAYER.search(name)
    return (name[: match.start()], int(match[1])) if match else None
