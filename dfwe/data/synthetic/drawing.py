"""Random draws that both generators share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from dfwe.errors import ConfigurationError

T = TypeVar("T")


def choose(options: Sequence[T], *, rng: np.random.Generator) -> T:
    """Return one of the options, all equally likely."""
    return options[int(rng.integers(len(options)))]


def happens(probability: float, *, rng: np.random.Generator) -> bool:
    """Draw whether an event of this probability happens."""
    return bool(rng.random() < probability)


def draw_distinct(draw: Callable[[], T], *, key: Callable[[T], Hashable]) -> Iterator[T]:
    """Yield draws without end, each key only once."""
    seen: set[Hashable] = set()
    while True:
        value = draw()
        if key(value) not in seen:
            seen.add(key(value))
            yield value


def check_tasks(tasks: Collection[str], *, options: Collection[str]) -> None:
    """Raise ConfigurationError for tasks that the generator does not have."""
    if unknown := set(tasks) - set(options):
        raise ConfigurationError(f"the toy data has no task {sorted(unknown)}: its tasks are {', '.join(options)}")
