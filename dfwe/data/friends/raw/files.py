"""Files of releases: text, JSON and tables, with errors that name the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from dfwe.data.friends.scene import Excerpt, Reading
from dfwe.data.readers.base import RowIssue, RowReport
from dfwe.data.readers.delimited import Delimited
from dfwe.data.readers.sheet import check_columns
from dfwe.errors import DataError
from dfwe.io.strict_json import loads

T = TypeVar("T")


def read_release(
    name: str, *, folder: Path, files: Sequence[str], read: Callable[[Path], tuple[Sequence[Excerpt], RowReport]]
) -> Reading:
    """Read the release's files that exist."""
    excerpts: list[Excerpt] = []
    report = RowReport(0)
    missing = tuple(file for file in files if not (folder / file).exists())
    for file in files:
        if file not in missing:
            file_excerpts, file_report = read(folder / file)
            excerpts += file_excerpts
            report += file_report
    return Reading(name, tuple(excerpts), report, missing)


def json_records(text: str, *, name: str, key: str | None = None) -> list[Any]:
    """Return the list in a JSON file, under a key if one is given.

    Raises:
        DataError: the JSON is broken, with line and column; or it holds something else.
    """
    return records(loads(text, where=name), name=name, key=key)


def records(holder: Any, *, name: str, key: str | None) -> list[Any]:
    """Return the list itself, or that under its key; DataError if there is none."""
    content = holder if key is None else holder.get(key) if isinstance(holder, Mapping) else None
    if not isinstance(content, list):
        raise DataError(f"{name} must hold a list" if key is None else f"{name} must be an object with a list '{key}'")
    return content


def table(
    path: Path, *, columns: Sequence[str], read: Callable[[int, Mapping[str, str]], T]
) -> tuple[list[T], RowReport]:
    """Convert the rows of a comma-separated file with a header; `read` takes a row's first line and its cells.

    Raises:
        DataError: the file cannot be read, or a column is missing.
    """
    file = Delimited(path.name, delimiter=",", quoting=True, columns=None, encoding="utf-8", rename={})
    sheet = file.sheet(path.parent)
    check_columns(sheet, needed=columns)
    values, report = convert(
        ((row.line, row) for row in sheet.rows), path=path, read=lambda row: read(row.line, row.cells)
    )
    invalid = sorted((*sheet.report.invalid, *report.invalid), key=lambda issue: issue.line)
    return values, RowReport(len(values) + len(invalid), tuple(invalid), sheet.report.suspicious)


def convert(
    numbered: Iterable[tuple[int, Any]], *, path: Path | str, read: Callable[[Any], T]
) -> tuple[list[T], RowReport]:
    """Convert each record with `read`; a record that lacks something is an invalid row with its number."""
    values: list[T] = []
    invalid: list[RowIssue] = []
    for number, record in numbered:
        try:
            values.append(read(record))
        except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as error:
            invalid.append(RowIssue(str(path), number, _reason(error)))
    return values, RowReport(len(values) + len(invalid), tuple(invalid))


def scene_id(text: str) -> str:
    """Return the scene's id in the benchmark's form; ValueError if it is not one."""
    if not re.fullmatch(r"s\d\d_e\d\d_c\d\d", text):
        raise ValueError(f"'{text}' is not a scene id (sXX_eYY_cZZ)")
    return text


def label_of(text: str, *, labels: Sequence[str]) -> str:
    """Return the label in lower case; ValueError if the task does not have it."""
    label = text.strip().lower()
    if label not in labels:
        raise ValueError(f"unknown label '{text}', expected one of {', '.join(labels)}")
    return label


def text_of(value: Any) -> str:
    """Return the value if it is a text; ValueError otherwise."""
    if not isinstance(value, str):
        raise ValueError(f"expected a text, found {value!r}")
    return value


def names_of(value: Any) -> tuple[str, ...]:
    """Return a list of names; ValueError for anything else (a text is a sequence of texts, too)."""
    if not isinstance(value, (list, tuple)) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"expected a list of names, found {value!r}")
    return tuple(value)


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"field {error} is missing"
    if isinstance(error, (AttributeError, IndexError, TypeError)):
        return f"not of the release's form: {error}"
    return str(error)
