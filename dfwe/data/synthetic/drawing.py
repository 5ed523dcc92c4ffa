"""Random draws that both generators share."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from dfwe.errors import ConfigurationError

T = TypeVar("T")


@dataclass(frozen=True)
class Draws:
    """Draws from one random stream."""

    rng: np.random.Generator

    def choose(self, options: Sequence[T]) -> T:
        """Return one of the options, all equally likely."""
        return options[int(self.rng.integers(len(options)))]

    def happens(self, probability: float) -> bool:
        """Draw whether an event of this probability happens."""
        return bool(self.rng.random() < probability)

    def shuffle(self, options: Sequence[T]) -> list[T]:
        """Return the options in random order."""
        return [options[index] for index in self.rng.permutation(len(options))]


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
