"""Excerpts of releases: runs of turns, and annotations that refer to them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dfwe.data.readers.base import RowReport

if TYPE_CHECKING:
    from dfwe.data.friends.scene import Placement, Scene


@dataclass(frozen=True)
class Turn:
    """An utterance, or a stage direction without speakers."""

    speakers: tuple[str, ...]
    text: str


class Annotation(ABC):
    """An annotation of an excerpt's turns."""

    task: str

    @abstractmethod
    def write(self, scene: Scene, placement: Placement) -> Mapping[str, int]:
        """Write the annotation to the scene's lines; return the number of dropped instances by reason."""

    def within(self, start: int, stop: int) -> Annotation | None:
        """Return the annotation for an excerpt of the turns from `start` to before `stop`, None outside of them."""
        return None

    def __len__(self) -> int:
        """Return the number of instances of the task."""
        return 1


@dataclass(frozen=True)
class Excerpt:
    """A run of turns of one release, with its annotations."""

    release: str
    key: str  # the release's own name; the dialogue's id if no scene is found
    turns: tuple[Turn, ...]
    annotations: tuple[Annotation, ...] = ()
    scene_id: str | None = None  # sXX_eYY_cZZ if the release names it
    whole: bool = False  # the scene's turns are all there
    codes: frozenset[str] = frozenset()  # that hide the names of its entities
    divisible: bool = False  # each annotation concerns one turn, so that the excerpt may belong to several scenes

    def __post_init__(self) -> None:
        if not self.turns:
            raise ValueError("it has no turn")

    def part(self, start: int, stop: int) -> Excerpt:
        """Return the turns from `start` to before `stop` with their annotations, under a new key."""
        if (start, stop) == (0, len(self.turns)):
            return self
        annotations = [annotation.within(start, stop) for annotation in self.annotations]
        return replace(
            self,
            key=f"{self.key}_{start:02d}",
            turns=self.turns[start:stop],
            annotations=tuple(annotation for annotation in annotations if annotation is not None),
        )


@dataclass(frozen=True)
class Reading:
    """Excerpts of one release."""

    name: str
    excerpts: tuple[Excerpt, ...]
    report: RowReport
    missing: tuple[str, ...] = field(default=())  # files that the release has and the folder lacks
