"""Sheets: rows of named cells as read from one file, each with its line."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections import ChainMap, Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import Any

import numpy as np

from dfwe.data.readers.base import RowIssue, RowReport
from dfwe.errors import ConfigurationError, DataError, quoted

_COMPRESSED = (".gz", ".zip", ".bz2", ".xz", ".zst")

Cell = str | tuple[str, ...]  # a text, or alternatives (a list of texts, where the format has lists)


@dataclass(frozen=True)
class SheetRow:
    """One row with a cell per column of the file, empty where it has none."""

    line: int  # from 1, where the row starts; the number of the row in files without lines
    cells: Mapping[str, Cell]


@dataclass(frozen=True)
class Sheet:
    """Rows of one file, and a report on rows with problems."""

    origin: str  # the file, for messages
    stem: str  # its short name, for ids
    columns: tuple[str, ...]
    rows: tuple[SheetRow, ...]
    report: RowReport


class SheetSource(ABC):
    """One file of a table, or a substitute for it."""

    @abstractmethod
    def sheet(self, root: Path) -> Sheet:
        """Read the rows; a relative path is below `root`.

        Raises:
            DataError: the file is missing, not in the configured encoding, or lacks a column.
        """


def read_text(path: Path, *, encoding: str) -> str:
    """Return the whole text without a byte order mark; DataError if it cannot be read."""
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
            f"unknown encoding '{encoding}' for {path}: set utf-8 or latin-1, for instance"
        ) from None
    except UnicodeDecodeError as error:
        if path.suffix.lower() in _COMPRESSED:
            raise DataError(f"{path} is compressed: unpack it first") from error
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path}, line {line}: not {encoding} text ({error.reason}); save it as such, or set the file's `encoding` "
            "(of dfwe fit and dfwe predict: --encoding)"
        ) from error


def renamed(columns: Sequence[str], *, rename: Mapping[str, str], origin: str) -> tuple[str, ...]:
    """Return the columns under their new names; DataError for a missing column or a name that occurs twice."""
    for old in rename:
        if old not in columns:
            raise DataError(f"{origin} has no column '{old}' to rename: it has {quoted(columns) or 'none'}")
    new = tuple(rename.get(column, column) for column in columns)
    if repeated := [column for column, number in Counter(new).items() if number > 1]:
        raise DataError(f"{origin} has more than one column '{repeated[0]}': rename or name its columns")
    return new


def sheet_of(
    objects: Sequence[tuple[int, Mapping[str, Any]]],
    *,
    origin: str,
    stem: str,
    rename: Mapping[str, str],
    invalid: Sequence[RowIssue] = (),
    suspicious: Sequence[RowIssue] = (),
) -> Sheet:
    """Return JSON objects, each with its line, as rows; a missing key is an empty cell."""
    keys = tuple(dict.fromkeys(key for _, content in objects for key in content))
    named = dict(zip(keys, renamed(keys, rename=rename, origin=origin), strict=True))
    empty: dict[str, Cell] = dict.fromkeys(named.values(), "")
    rows = []
    for line, content in objects:
        cells = {named[key]: cell_of(value) for key, value in content.items()}
        # rows that lack columns share their empty cells: where every row has other keys, one per pair is too much
        rows.append(SheetRow(line, empty | cells if len(cells) == len(empty) else ChainMap(cells, empty)))
    report = RowReport(len(rows) + len(invalid), tuple(invalid), tuple(suspicious))
    return Sheet(origin, stem, tuple(named.values()), tuple(rows), report)


def check_columns(sheet: Sheet, *, needed: Iterable[str]) -> None:
    """Raise DataError with the columns of the sheet if one is missing."""
    for column in needed:
        if column not in sheet.columns:
            raise DataError(f"{sheet.origin} has no column '{column}': it has {quoted(sheet.columns) or 'none'}")


def cell_of(value: Any) -> Cell:
    """Return a value as a cell: a list of texts is alternatives, other nested values stay JSON.

    Null, NaN and infinity are empty. Bytes and other things without a text have no alternatives: a task that reads the
    column refuses the row.
    """
    if isinstance(value, np.generic):
        value = (value.astype("datetime64[us]") if isinstance(value, np.datetime64) else value).item()
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, date | time):
        return value.isoformat().removeprefix("NaT")  # which pandas has for no date
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        return ()


def cell_line(cell: Cell) -> str:
    """Return a cell as one line of text; the alternatives of a list are joined."""
    return " ".join((cell if isinstance(cell, str) else " ".join(cell)).split())
