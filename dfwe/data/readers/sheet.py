"""What a table's file gives: rows of named cells, each with its line, and those that could not be read."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfwe.data.bad_rows import Rows
from dfwe.errors import ConfigurationError, DataError

Cell = str | tuple[str, ...]  # a text, or alternatives (a list of texts, where the format has lists)


@dataclass(frozen=True)
class Row:
    """One row; every row of a file has all columns of the file, empty where it says nothing."""

    line: int  # from 1, where the row starts; where a file has no lines, the number of the row
    cells: Mapping[str, Cell]


@dataclass(frozen=True)
class Sheet:
    """What was read of one file: its rows, and how many there were with the broken ones."""

    origin: str  # the file, for messages
    stem: str  # its short name, for ids
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    read: Rows


class SheetSource(ABC):
    """One file of a table, or what stands for it."""

    @abstractmethod
    def sheet(self, root: Path) -> Sheet:
        """Its rows; a relative path is below `root`.

        Raises:
            DataError: it is missing, not in the encoding that was said, or has not the columns that it should.
        """


def read_text(path: Path, *, encoding: str) -> str:
    """The whole text, a byte order mark aside; DataError says what to do where it cannot be read."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(
            f"{path} is missing: data.files (or the task's data.root) must be the folder it is in"
        ) from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    try:
        return content.decode(encoding).removeprefix("\ufeff")
    except LookupError:
        raise ConfigurationError(
            f"unknown encoding '{encoding}' for {path}: say utf-8 or latin-1, for instance"
        ) from None
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path}, line {line}: not {encoding} text ({error.reason}); save it as such, or name its encoding"
        ) from error


def renamed(columns: Sequence[str], *, rename: Mapping[str, str], origin: str) -> tuple[str, ...]:
    """The columns under their new names; DataError for one that is not there, or a name that two columns get."""
    for old in rename:
        if old not in columns:
            raise DataError(f"{origin} has no column '{old}' to rename: it has {_list(columns)}")
    new = tuple(rename.get(column, column) for column in columns)
    for column in new:
        if new.count(column) > 1:
            raise DataError(f"{origin} has more than one column '{column}': rename or name its columns")
    return new


def check_columns(sheet: Sheet, *, needed: Iterable[str]) -> None:
    """Raises DataError that says which columns there are, where one is missing."""
    for column in needed:
        if column not in sheet.columns:
            raise DataError(f"{sheet.origin} has no column '{column}': it has {_list(sheet.columns)}")


def cell_of(value: Any) -> Cell:
    """A JSON value as a cell: null is empty, a list of texts is alternatives, whatever else is nested stays JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return tuple(value)
    return json.dumps(value, ensure_ascii=False)


def _list(columns: Sequence[str]) -> str:
    return ", ".join(f"'{column}'" for column in columns) or "none"
