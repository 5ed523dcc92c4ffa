"""The interface of stages: each is made once, and looked up in the store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from dfwe.store.card import spec_digest
from dfwe.store.store import Entry, Store

Tell = Callable[[float], None]


class Stage(ABC):
    """One step of a study: a function of its spec, whose result lies in the store under the spec's digest."""

    kind: ClassVar[str]

    @property
    @abstractmethod
    def title(self) -> str:
        """Title in the user's words, shown while it runs."""

    @abstractmethod
    def spec(self) -> dict[str, Any]:
        """Return everything that makes the result, as JSON; other stages by their digest."""

    @property
    @abstractmethod
    def needs(self) -> tuple[Stage, ...]:
        """Stages whose results `make` reads; it makes them itself where they are not there."""

    @abstractmethod
    def make(self, folder: Path, *, tell: Tell) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Make the result in the working folder; return what goes on the card and the names of the files to keep.

        `tell` takes the share that is done, in [0, 1].
        """

    @cached_property
    def digest(self) -> str:
        """Name of the result, computed once: other stages' digests hold it, and a sweep's plan reads thousands."""
        return spec_digest(self.kind, self.spec())

    def find(self, store: Store) -> Entry | None:
        """Return the finished result, if there is one."""
        return store.find(self.kind, spec=self.spec())

    def result(self, store: Store, *, tell: Tell = lambda share: None) -> Entry:
        """Return the finished result, made now if there is none, by one process alone."""
        return store.get_or_make(
            self.kind, spec=self.spec(), make=lambda folder: self.make(folder, tell=tell), title=self.title
        )


def unique_parts(parts: Iterable[tuple[str, Stage]]) -> Iterator[tuple[str, Stage]]:
    """Yield stages with their part in a study; one that plays two parts comes once."""
    seen: set[str] = set()
    for part, stage in parts:
        if stage.digest not in seen:
            seen.add(stage.digest)
            yield part, stage
