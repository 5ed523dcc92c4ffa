"""What every release gives: runs of turns, and annotations that point at them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dfwe.data.bad_rows import Rows

if TYPE_CHECKING:
    from dfwe.data.friends.scene import Placement, Scene


@dataclass(frozen=True)
class Turn:
    """One utterance; nobody speaks a stage direction."""

    speakers: tuple[str, ...]
    text: str


class Mark(ABC):
    """An annotation of an excerpt's turns."""

    task: str

    @abstractmethod
    def write(self, scene: Scene, placement: Placement) -> Mapping[str, int]:
        """Puts the annotation on the scene's lines; returns what was dropped, counted by reason."""

    def within(self, start: int, stop: int) -> Mark | None:
        """The same annotation of an excerpt cut to the turns from `start` to before `stop`; None outside of them."""
        return None

    def __len__(self) -> int:
        """How many instances of the task it makes."""
        return 1


@dataclass(frozen=True)
class Excerpt:
    """A run of turns as one release has it, with what it annotates there."""

    release: str
    key: str  # the release's own name for it; the dialogue's id where no scene is found
    turns: tuple[Turn, ...]
    marks: tuple[Mark, ...] = ()
    scene_id: str | None = None  # sXX_eYY_cZZ where the release tells it
    whole: bool = False  # the scene's turns are all there
    codes: frozenset[str] = frozenset()  # that hide the names of its entities
    divisible: bool = False  # each mark concerns one turn, so that the excerpt may belong to several scenes

    def __post_init__(self) -> None:
        if not self.turns:
            raise ValueError("it has no turn")

    def part(self, start: int, stop: int) -> Excerpt:
        """The turns from `start` to before `stop`, under a key of its own, with their marks."""
        if (start, stop) == (0, len(self.turns)):
            return self
        marks = [mark.within(start, stop) for mark in self.marks]
        return replace(
            self,
            key=f"{self.key}_{start:02d}",
            turns=self.turns[start:stop],
            marks=tuple(mark for mark in marks if mark is not None),
        )


@dataclass(frozen=True)
class Reading:
    """What was read of one release."""

    name: str
    excerpts: tuple[Excerpt, ...]
    rows: Rows
    missing: tuple[str, ...] = field(default=())  # files that the release has and the folder lacks
