"""What a prompt is: the form in which a task puts its questions to a text-to-text model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from dfwe.data.readers.base import Dialogue
from dfwe.records import Instance


@dataclass(frozen=True)
class Prompt(ABC):
    """Turns the annotations of a dialogue into instances.

    An interface with one field, because every form needs it: the key under which a dialogue carries the task.
    """

    task: str

    @abstractmethod
    def instances(
        self, dialogue: Dialogue, *, max_words: int, seed: int, unlabelled: bool = False
    ) -> Iterator[Instance]:
        """The task's instances in the reference's order, none where the dialogue is not annotated for the task.

        `max_words` limits the context to so many white-space words, speaker tags included; 0 is no limit. `seed` is
        for forms that draw; the seven of FETA-Friends draw nothing. Where `unlabelled`, for prediction, gold answers
        may be missing, and an instance without one has neither targets nor references.

        Raises:
            DataError: an annotation lacks a part, or has a label that the task does not know.
        """
