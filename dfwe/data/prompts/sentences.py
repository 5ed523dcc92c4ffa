"""Prompts of row tasks for models with heads: columns of sentences instead of one text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dfwe.data.prompts.answers import AnswerFormat, answered_rows, check_hidden, single
from dfwe.data.prompts.base import Prompt
from dfwe.data.readers.base import Dialogue
from dfwe.errors import ConfigurationError
from dfwe.records import Instance

_MOST_SENTENCES = 2


@dataclass(frozen=True, kw_only=True)
class Sentences(Prompt):
    """The cells of one or two columns as sentences, an instance per row, without a source text.

    White space in a cell counts as one blank.
    """

    columns: Sequence[str]  # in the order in which the head reads them
    answer: AnswerFormat

    def __post_init__(self) -> None:
        if isinstance(self.columns, str) or not 1 <= len(self.columns) <= _MOST_SENTENCES:
            raise ConfigurationError(f"{self.task} needs a list of one or two columns of sentences: {self.columns}")
        check_hidden(self.answer, columns=self.columns, owner=f"the head of {self.task}")

    def instances(self, dialogue: Dialogue, *, max_words: int, seed: int) -> Iterator[Instance]:
        """Yield the instances of the rows; `max_words` has no effect, as sentences are truncated by tokens. See Prompt.

        Raises:
            RowError: a row has an empty cell, or an answer that cannot be.
            DataError: a column is missing.
        """
        for row in answered_rows(dialogue, prompt=self, columns=self.columns, answer=self.answer):
            yield Instance(
                instance_id=row.row_id,
                dialogue_id=dialogue["dialogue_id"],
                context="",
                prompt="",
                targets=row.gold.targets,
                references=row.gold.references,
                candidates=self.answer.candidates,
                sentences=tuple(single(row.cells, column=column) for column in self.columns),
            )
