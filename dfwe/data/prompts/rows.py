"""What the prompts of rows share: each row's cells and its checked answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dfwe.data.prompts.answers import Answer, Cells, Gold
from dfwe.data.prompts.base import Prompt
from dfwe.data.prompts.fields import dialogue_name, records
from dfwe.data.readers.base import Dialogue
from dfwe.errors import ConfigurationError, DataError


@dataclass(frozen=True)
class AnsweredRow:
    """A row of a table, and what its answer is (nothing where it is not labelled and need not be)."""

    row_id: str
    cells: Cells
    gold: Gold


def answered_rows(
    dialogue: Dialogue, *, prompt: Prompt, columns: Sequence[str], answer: Answer
) -> Iterator[AnsweredRow]:
    """The rows of a dialogue; `columns` are those that the question shows.

    Raises:
        RowError: a row has an answer that cannot be.
        DataError: a column is missing.
    """
    for row in records(dialogue, key="rows", where=dialogue_name(dialogue)):
        cells: Cells = row["cells"]
        answered = not prompt.unlabelled or any(cells.get(column) for column in answer.columns)
        needed = (*columns, *(answer.columns if answered else ()))
        _check_columns(cells, needed=needed, task=prompt.task, path=row["path"])
        yield AnsweredRow(row["id"], cells, answer.gold(cells) if answered else Gold((), ()))


def check_hidden(answer: Answer, *, columns: Iterable[str], what: str) -> None:
    """Raises ConfigurationError where one of the question's columns holds the answer."""
    for column in columns:
        if column in answer.columns:
            raise ConfigurationError(f"{what} gives the answer away: it shows column '{column}'")


def _check_columns(cells: Cells, *, needed: Iterable[str], task: str, path: str) -> None:
    for column in needed:
        if column not in cells:
            there = ", ".join(f"'{each}'" for each in cells)
            raise DataError(f"{path} has no column '{column}', which {task} needs: it has {there}")
