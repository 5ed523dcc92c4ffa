"""Any task of rows for a model with heads: the sentences stand in columns, each is read by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dfwe.data.prompts.answers import Answer, single
from dfwe.data.prompts.base import Prompt
from dfwe.data.prompts.rows import answered_rows, check_hidden
from dfwe.data.readers.base import Dialogue
from dfwe.errors import ConfigurationError
from dfwe.records import Instance

_MOST_SENTENCES = 2


@dataclass(frozen=True, kw_only=True)
class Sentences(Prompt):
    """The cells of one or two columns as sentences, an instance for each row; there is no source text.

    White space in a cell counts as one blank.
    """

    columns: Sequence[str]  # in the order in which the head reads them
    answer: Answer

    def __post_init__(self) -> None:
        if isinstance(self.columns, str) or not 1 <= len(self.columns) <= _MOST_SENTENCES:
            raise ConfigurationError(f"{self.task} needs a list of one or two columns of sentences: {self.columns}")
        check_hidden(self.answer, columns=self.columns, what=f"the head of {self.task}")

    def instances(self, dialogue: Dialogue, *, max_words: int, seed: int) -> Iterator[Instance]:
        """The rows' instances; `max_words` cuts none, because sentences are cut in tokens. See Prompt.

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
