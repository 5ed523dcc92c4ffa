"""The parent of a study: weights, configuration and tokenizer, materialised once and loaded by every stage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from dfwe.families.seq2seq.weights import WeightSource
from dfwe.seeding import derive
from dfwe.stages.base import Stage, Tell
from dfwe.store.store import Store

MODEL = "model"


class Parent(Stage):
    """A stage whose result is a Hugging Face folder."""

    kind: ClassVar[str] = "parent"

    def model_folder(self, store: Store) -> Path:
        """The Hugging Face folder, made now if it is not there."""
        return self.result(store).folder / MODEL


@dataclass(frozen=True)
class SourceStage(Parent):
    """Writes the source's Hugging Face folder into the store.

    Experts that grew from separately initialised parents cannot be merged: hence one file, seeded and digested.
    `texts` gives what a fresh tokenizer is trained on, `texts_spec` names it.
    """

    name: str
    source: WeightSource
    seed: int
    texts: Callable[[], Iterable[str]]
    texts_spec: Mapping[str, Any]

    @property
    def title(self) -> str:
        """What the user reads."""
        return f"parent {self.name}"

    def spec(self) -> dict[str, Any]:
        """The source's identity, the seed, the texts."""
        return {"source": dict(self.source.identity()), "seed": self.seed, "texts": dict(self.texts_spec)}

    @property
    def needs(self) -> tuple[Stage, ...]:
        """None: the source is no stage."""
        return ()

    def make(self, folder: Path, *, tell: Tell) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Builds the folder."""
        self.source.build(folder / MODEL, seed=derive(self.seed, "parent"), texts=self.texts())
        return {"name": self.name}, (MODEL,)
