"""Reading a release's files: text, JSON and tables, with errors that name the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from dfwe.data.bad_rows import BadRow, Rows, bad_row
from dfwe.data.friends.excerpt import Excerpt, Reading
from dfwe.data.readers.delimited import Delimited
from dfwe.data.readers.sheet import check_columns
from dfwe.errors import DataError
from dfwe.io.strict_json import loads

T = TypeVar("T")


def read_release(
    name: str, *, folder: Path, files: Sequence[str], read: Callable[[Path], tuple[Sequence[Excerpt], Rows]]
) -> Reading:
    """What `read` makes of those of the release's files that are there."""
    excerpts: list[Excerpt] = []
    rows = Rows(0)
    missing = tuple(file for file in files if not (folder / file).exists())
    for file in files:
        if file not in missing:
            found, part_rows = read(folder / file)
            excerpts += found
            rows += part_rows
    return Reading(name, tuple(excerpts), rows, missing)


def json_records(text: str, *, name: str, key: str | None = None) -> list[Any]:
    """The list that a JSON file holds, under a key where one is given.

    Raises:
        DataError: the JSON is broken, with line and column; or it holds something else.
    """
    return records(loads(text, where=name), name=name, key=key)


def records(holder: Any, *, name: str, key: str | None) -> list[Any]:
    """The list itself, or that under its key; DataError where there is none."""
    found = holder if key is None else holder.get(key) if isinstance(holder, Mapping) else None
    if not isinstance(found, list):
        raise DataError(f"{name} must hold a list" if key is None else f"{name} must be an object with a list '{key}'")
    return found


def table(
    path: Path, *, columns: Sequence[str], read: Callable[[Mapping[str, str]], T]
) -> tuple[list[tuple[int, T]], Rows]:
    """As `convert`, for the rows of a comma-separated file with a header, each with the line that it begins on.

    Raises:
        DataError: the file cannot be read, or a column is missing.
    """
    file = Delimited(path.name, delimiter=",", quoting=True, columns=None, encoding="utf-8", rename={})
    sheet = file.sheet(path.parent)
    check_columns(sheet, needed=columns)
    good, rows = _convert(((row.line, row.cells) for row in sheet.rows), path=path, read=read)
    bad = sorted((*sheet.read.bad, *rows.bad), key=lambda row: row.line)
    return good, Rows(len(good) + len(bad), tuple(bad), sheet.read.odd)


def convert(numbered: Iterable[tuple[int, Any]], *, path: Path | str, read: Callable[[Any], T]) -> tuple[list[T], Rows]:
    """What `read` makes of each record; a record that lacks something is a bad row, known by its number."""
    good, rows = _convert(numbered, path=path, read=read)
    return [each for _, each in good], rows


def _convert(
    numbered: Iterable[tuple[int, Any]], *, path: Path | str, read: Callable[[Any], T]
) -> tuple[list[tuple[int, T]], Rows]:
    good: list[tuple[int, T]] = []
    bad: list[BadRow] = []
    for number, record in numbered:
        try:
            good.append((number, read(record)))
        except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as error:
            bad.append(bad_row(path, line=number, reason=_reason(error)))
    return good, Rows(len(good) + len(bad), tuple(bad))


def scene_id(text: str) -> str:
    """The scene's id in the benchmark's form; ValueError where it is not one."""
    if not re.fullmatch(r"s\d\d_e\d\d_c\d\d", text):
        raise ValueError(f"'{text}' is no scene id (sXX_eYY_cZZ)")
    return text


def label_of(text: str, *, labels: Sequence[str]) -> str:
    """The label in lower case; ValueError where the task does not know it."""
    label = text.strip().lower()
    if label not in labels:
        raise ValueError(f"unknown label '{text}', expected one of {', '.join(labels)}")
    return label


def text_of(value: Any) -> str:
    """A text; ValueError where it is something else."""
    if not isinstance(value, str):
        raise ValueError(f"expected a text, found {value!r}")
    return value


def names_of(value: Any) -> tuple[str, ...]:
    """A list of names; ValueError where it is something else (a text is a sequence of texts, too)."""
    if not isinstance(value, (list, tuple)) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"expected a list of names, found {value!r}")
    return tuple(value)


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"field {error} is missing"
    if isinstance(error, (AttributeError, IndexError, TypeError)):
        return f"not of the release's form: {error}"
    return str(error)
