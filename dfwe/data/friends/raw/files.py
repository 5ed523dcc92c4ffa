"""Reading a release's files: text, JSON and tables, with errors that name the file."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from dfwe.data.bad_rows import BadRow, Rows, bad_row
from dfwe.errors import DataError

T = TypeVar("T")


def read_text(path: Path) -> str:
    """The file's text; DataError unless it is UTF-8."""
    return decode(path.read_bytes(), name=str(path))


def decode(content: bytes, *, name: str) -> str:
    """The bytes as text, without a byte order mark."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(f"{name}, line {line}: the file must be UTF-8 text: {error.reason}") from error


def parse_json(text: str, *, name: str) -> Any:
    """The file's JSON; DataError with line and column where it is broken."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{name}, line {error.lineno}, column {error.colno}: broken JSON: {error.msg}") from error


def table(path: Path, *, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a comma-separated file with a header, each with the line that it begins on.

    Raises:
        DataError: a column is missing.
    """
    reader = csv.reader(read_text(path).splitlines(keepends=True))
    header = next(reader, [])
    missing = [column for column in columns if column not in header]
    if missing:
        raise DataError(f"{path} has no column {', '.join(missing)}; its columns are {', '.join(header)}")
    line = reader.line_num + 1
    for cells in reader:
        # a row of another length is kept, so that whoever reads the fields can say what is wrong with it
        yield line, dict(zip(header, cells, strict=False)) if len(cells) == len(header) else {}
        line = reader.line_num + 1


def convert(
    records: Iterable[tuple[int, Any]], *, path: Path | str, read: Callable[[Any], T]
) -> tuple[list[tuple[int, T]], Rows]:
    """What `read` makes of each record; a record that lacks something is a bad row, not an error."""
    good: list[tuple[int, T]] = []
    bad: list[BadRow] = []
    for number, record in records:
        try:
            good.append((number, read(record)))
        except (KeyError, IndexError, TypeError, ValueError) as error:
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


def present(folder: Path, *, names: Sequence[str]) -> tuple[list[Path], tuple[str, ...]]:
    """Those of the files that are there, and the names of the others."""
    paths = [folder / name for name in names]
    return [path for path in paths if path.exists()], tuple(path.name for path in paths if not path.exists())


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"field {error} is missing"
    return str(error)
