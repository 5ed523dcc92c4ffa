"""Prompts of row tasks: a template with the names of columns, or sentences for a model with heads."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dfwe.data.prompts.answers import AnswerFormat, Cells, Gold, single
from dfwe.data.prompts.base import Prompt
from dfwe.data.prompts.fields import dialogue_name, records
from dfwe.data.readers.base import Dialogue, RowError
from dfwe.errors import ConfigurationError, DataError, quoted
from dfwe.records import Instance

_MAX_SENTENCES = 2
_UNSAFE = re.compile(r"[{}!:.\[\]]")  # what a template's braces cannot hold

Parts = tuple[tuple[str, str | None], ...]  # the texts of a template, each with the column that follows it


@dataclass(frozen=True, kw_only=True)
class Template(Prompt):
    """`{context}{prompt}` with cells for columns, an instance per row.

    The context loses its first words where it is too long, the prompt is never cut. White space in a cell counts as one
    blank. Braces that are meant are doubled.
    """

    context: str
    prompt: str
    answer: AnswerFormat

    def __post_init__(self) -> None:
        _check_hidden(self.answer, columns=self.columns, owner=f"the template of {self.task}")

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Columns that the question shows."""
        parts = [part for parts in self._parts for part in parts]
        return tuple(dict.fromkeys(column for _, column in parts if column is not None))

    def instances(self, dialogue: Dialogue, *, max_words: int, seed: int) -> Iterator[Instance]:
        """Yield the instances of the rows; see Prompt.

        Raises:
            RowError: a row has an empty cell, or an answer that cannot be.
            DataError: a column is missing.
        """
        context, prompt = self._parts

        def question(cells: Cells) -> dict[str, Any]:
            return {"context": _cut(_fill(context, cells), max_words=max_words), "prompt": _fill(prompt, cells)}

        yield from _instances(dialogue, prompt=self, question=question)

    @cached_property
    def _parts(self) -> tuple[Parts, Parts]:
        return _parse(self.context, task=self.task), _parse(self.prompt, task=self.task)


@dataclass(frozen=True, kw_only=True)
class Sentences(Prompt):
    """The cells of one or two columns as sentences, an instance per row, without a source text.

    White space in a cell counts as one blank.
    """

    columns: Sequence[str]  # in the order in which the head reads them
    answer: AnswerFormat

    def __post_init__(self) -> None:
        if isinstance(self.columns, str) or not 1 <= len(self.columns) <= _MAX_SENTENCES:
            raise ConfigurationError(f"{self.task} needs a list of one or two columns of sentences: {self.columns}")
        _check_hidden(self.answer, columns=self.columns, owner=f"the head of {self.task}")

    def instances(self, dialogue: Dialogue, *, max_words: int, seed: int) -> Iterator[Instance]:
        """Yield the instances of the rows; `max_words` has no effect, as sentences are truncated by tokens. See Prompt.

        Raises:
            RowError: a row has an empty cell, or an answer that cannot be.
            DataError: a column is missing.
        """

        def question(cells: Cells) -> dict[str, Any]:
            sentences = tuple(single(cells, column=column) for column in self.columns)
            return {"context": "", "prompt": "", "sentences": sentences}

        yield from _instances(dialogue, prompt=self, question=question)


def column_name(name: str) -> str:
    """Return a column's name as a template can hold it."""
    return _UNSAFE.sub("_", name).strip() or "column"


def named_cells(cells: Mapping[str, Any], *, columns: Iterable[str]) -> Mapping[str, Any]:
    """Return a row's cells, where one of the columns is missing also under the names that a template can hold."""
    again = {} if cells.keys() >= set(columns) else {column_name(name): cell for name, cell in cells.items()}
    return {**again, **cells}


def row_dialogue(cells: Mapping[str, Any], *, row_id: str, path: str, line: int) -> Dialogue:
    """Return a single row as the reader of tables does."""
    return {"dialogue_id": row_id, "rows": [{"id": row_id, "path": path, "line": line, "cells": cells}]}


def _check_hidden(answer: AnswerFormat, *, columns: Iterable[str], owner: str) -> None:
    """Raise ConfigurationError if one of the question's columns holds the answer."""
    for column in columns:
        if column in answer.columns:
            raise ConfigurationError(f"{owner} gives the answer away: it shows column '{column}'")


def _instances(
    dialogue: Dialogue, *, prompt: Template | Sentences, question: Callable[[Cells], dict[str, Any]]
) -> Iterator[Instance]:
    """Yield an instance per row; `question` shows the prompt's columns."""
    answer = prompt.answer
    for row in records(dialogue, key="rows", where=dialogue_name(dialogue)):
        cells: Cells = row["cells"]
        has_answer = {*answer.columns} <= {*cells} and any(cells[column] for column in answer.columns)
        is_answered = not prompt.unlabelled or has_answer
        for column in (*prompt.columns, *(answer.columns if is_answered else ())):
            if column not in cells:
                names = quoted(cells)
                raise DataError(f"{row['path']} has no column '{column}', which {prompt.task} needs: it has {names}")
        try:
            gold = answer.gold(cells) if is_answered else Gold((), ())
        except RowError:
            if not prompt.unlabelled:
                raise
            gold = Gold((), ())  # an answer that nobody asks for
        yield Instance(
            instance_id=row["id"],
            dialogue_id=dialogue["dialogue_id"],
            targets=gold.targets,
            references=gold.references,
            candidates=answer.candidates,
            **question(cells),
        )


def _parse(template: str, *, task: str) -> Parts:
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ConfigurationError(
            f"the template '{template}' of {task}: {error}; double braces that are meant"
        ) from error
    for _, column, form, conversion in parts:
        if column == "" or form or conversion:
            raise ConfigurationError(f"the template '{template}' of {task} needs a column's name alone in its braces")
    return tuple((text, column) for text, column, _, _ in parts)


def _fill(parts: Parts, cells: Cells) -> str:
    return "".join(text if column is None else text + single(cells, column=column) for text, column in parts)


def _cut(text: str, *, max_words: int) -> str:
    words = text.split()
    return text if not max_words or len(words) <= max_words else " ".join(words[-max_words:])
