"""Prompts: the texts with which a task asks a text-to-text model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from dfwe.data.readers.base import Dialogue
from dfwe.records import Instance


@dataclass(frozen=True, kw_only=True)
class Prompt(ABC):
    """Conversion of a dialogue's annotations into instances.

    The interface has two fields, because every form needs them.
    """

    task: str  # the benchmark's long name: the key under which a dialogue carries the task
    unlabelled: bool = False  # for prediction: gold answers may be missing (`dataclasses.replace` sets it)

    @abstractmethod
    def instances(self, dialogue: Dialogue, *, max_words: int, seed: int) -> Iterator[Instance]:
        """Yield the task's instances in the reference's order, none if the dialogue is not part of the task.

        `max_words` limits the context to so many white-space words, speaker tags included; 0 is no limit.
        `seed` is for forms that draw; the seven of FETA-Friends draw nothing. An instance without a gold
        answer has neither targets nor references.

        Raises:
            DataError: an annotation lacks a part, or has a label that the task does not know.
        """


def columns_of(prompt: Prompt) -> tuple[str, ...] | None:
    """Return the columns that a row must have; None where the prompt asks about dialogues."""
    columns = getattr(prompt, "columns", None)
    return None if columns is None else tuple(columns)
