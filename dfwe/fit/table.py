"""Read a table of any usual form, and guess which columns hold the text, the label and the group."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dfwe.data.readers.delimited import read_delimited
from dfwe.data.readers.json_lines import JsonLines
from dfwe.data.readers.sheet import Sheet, SheetRow, SheetSource, cell_line, read_text
from dfwe.errors import DataError, did_you_mean, quoted

KINDS = ("labels", "number", "text")
_RENAME = "rename the column of the labels to 'label'"
_JSON = (".jsonl", ".json", ".ndjson")
_BINARY = (".xlsx", ".xls", ".ods", ".parquet", ".feather", ".arrow", ".pkl")
_MAX_STRAYS = 5  # named in an error
_DECIMAL_COMMA = re.compile(r"[+-]?\d+(,\d+)?")


@dataclass(frozen=True)
class Columns:
    """The columns of a table that a task uses; `guessed` names those that nobody named."""

    texts: tuple[str, ...]
    label: str
    group: str | None
    guessed: frozenset[str]

    def __str__(self) -> str:
        parts = [*(("text", name) for name in self.texts), ("label", self.label)]
        parts += [("group", self.group)] if self.group is not None else []
        return ", ".join(f"{part} = '{name}'{' (guessed)' if part in self.guessed else ''}" for part, name in parts)


@dataclass(frozen=True)
class LabelledTable:
    """A table that was read, how it is read, and its columns."""

    path: Path
    source: SheetSource
    sheet: Sheet
    columns: Columns
    missing: frozenset[str] = frozenset()  # words, in lower case, that stand in the label column for no label

    @cached_property
    def used_rows(self) -> list[SheetRow]:
        """Rows in which no column that is used is empty, and which have a label."""
        names = (*self.columns.texts, self.columns.label)
        return [row for row in self.sheet.rows if all(cell_text(row, name) for name in names) and self._has_label(row)]

    @cached_property
    def missing_cells(self) -> tuple[str, ...]:
        """Words of the label column that stand for no label."""
        cells = (row.cells[self.columns.label] for row in self.sheet.rows if not self._has_label(row))
        return tuple(sorted({cell for cell in cells if isinstance(cell, str)}))

    def _has_label(self, row: SheetRow) -> bool:
        return cell_text(row, self.columns.label).lower() not in self.missing

    @cached_property
    def counts(self) -> Counter[str]:
        """Number of rows by the label column's text."""
        return Counter(cell_text(row, self.columns.label) for row in self.used_rows)


def read_table(path: Path, *, encoding: str) -> tuple[SheetSource, Sheet]:
    """Return how a table is read, and its rows.

    Raises:
        DataError: it is missing, in another encoding, has one column, or no rows.
    """
    if not path.is_file():
        raise DataError(f"{path} is not a file: name a table in CSV, TSV or JSON Lines")
    if path.suffix.lower() in _BINARY:
        raise DataError(f"{path} is not a text file: save it as CSV (UTF-8), and name that file")
    if path.suffix.lower() in _JSON:
        source: SheetSource = JsonLines(path.name, encoding=encoding, rename={})
        sheet = _read_json(source, path=path, encoding=encoding)
    else:
        source, sheet = read_delimited(path, encoding=encoding)
        if len(sheet.columns) == 1:
            raise DataError(
                f"{path}: its header is one column, '{sheet.columns[0][:60]}': expected columns separated by a comma, "
                "tab, semicolon or |"
            )
    if not sheet.rows:
        raise DataError(f"{path}: no row can be read: {sheet.report.warnings()[0]}")
    return source, sheet


def find_columns(
    sheet: Sheet, *, texts: Sequence[str], label: str | None, group: str | None, defaults: Mapping[str, Any]
) -> Columns:
    """Return the columns to use; those that are not given are guessed by `defaults` (`conf/fit.yaml`) or their cells.

    Raises:
        DataError: a column is missing, or there is nothing to guess by.
    """
    for name in (*texts, *(name for name in (label, group) if name is not None)):
        check_column(sheet, name)
    chosen = label or _guess_label(sheet, texts=texts, defaults=defaults)
    sentences = tuple(texts) or _guess_texts(sheet, label=chosen, defaults=defaults)
    if chosen in sentences:
        raise DataError(f"{sheet.origin}: column '{chosen}' cannot be both the text and the label")
    by = group or _guess_group(sheet, used=(*sentences, chosen), defaults=defaults)
    missing = {"text": not texts, "label": label is None, "group": group is None}
    return Columns(sentences, chosen, by, frozenset(part for part, is_missing in missing.items() if is_missing))


def check_column(sheet: Sheet, name: str) -> None:
    """Raise DataError if a table lacks a column."""
    if name not in sheet.columns:
        hint = did_you_mean(name, sheet.columns)
        raise DataError(f"{sheet.origin} has no column '{name}'{hint}: it has {quoted(sheet.columns)}")


def kind_of(table: LabelledTable, *, defaults: Mapping[str, Any], is_source: bool = False) -> str:
    """Return the kind of answer that a label column holds; free text is guessed for a source only.

    Raises:
        DataError: it has one value only, or too many for labels.
    """
    counts, rows = table.counts, len(table.used_rows)
    column = f"{table.path}: column '{table.columns.label}'"
    if not counts:
        raise DataError(f"{column} has no row with a text and a label")
    if len(counts) == 1:
        raise DataError(f"{column} has one value only, '{next(iter(counts))}': expected at least two")
    if len(counts) > defaults["max_labels"] and (number := _with_comma(counts)):
        raise DataError(f"{column} has numbers with a comma, '{number}': write {number.replace(',', '.')}")
    strays = [value for value in counts if not is_number(value)]
    if len(counts) > defaults["max_labels"] and not strays:
        if _is_counting(counts, rows=rows):
            remedy = _RENAME if is_source else "name another with --label, or set --kind number"
            raise DataError(f"{column} has another whole number in each row, as ids are: {remedy}")
        return "number"
    num_stray = sum(counts[value] for value in strays)
    if len(counts) - len(strays) > defaults["max_labels"] and num_stray <= defaults["max_stray_share"] * rows:
        words = quoted(value[:40] for value in strays[:_MAX_STRAYS])
        remedy = "clean them" if is_source else "clean them, or set --kind labels"
        raise DataError(f"{column} has numbers, but words in {num_stray} of {rows} rows, such as {words}: {remedy}")
    if len(counts) > defaults["max_label_share"] * rows:
        if is_source:
            return "text"
        raise DataError(
            f"{column} has {len(counts)} distinct values in {rows} rows: name another with --label, or set --kind text "
            "for free text"
        )
    return "labels"


def is_number(text: str) -> bool:
    """Return whether a text is a finite number."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def cell_text(row: SheetRow, column: str) -> str:
    """Return a cell as one line of text."""
    return cell_line(row.cells[column])


def _read_json(source: SheetSource, *, path: Path, encoding: str) -> Sheet:
    if read_text(path, encoding=encoding).lstrip()[:1] == "[":
        raise DataError(
            f"{path} is one JSON list: write one object per line instead (in pandas: to_json(orient='records', "
            "lines=True))"
        )
    return source.sheet(path.parent)


def _guess_label(sheet: Sheet, *, texts: Sequence[str], defaults: Mapping[str, Any]) -> str:
    """Return the column with a usual name, else the only one with a few values that come again and again."""
    others = [column for column in sheet.columns if column not in texts]
    if (name := _by_name(others, defaults["label_columns"])) is not None:
        return name
    few = [column for column in others if 1 < len(_values(sheet, column)) <= defaults["max_labels"]]
    if len(few) != 1:
        raise DataError(
            f"{sheet.origin}: which column is the label? Name it with --label, or {_RENAME}: {quoted(sheet.columns)}"
        )
    return few[0]


def _guess_texts(sheet: Sheet, *, label: str, defaults: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a usual pair of columns, else the column with a usual name, else that with the longest texts."""
    others = [column for column in sheet.columns if column != label]
    lower = {column.lower(): column for column in others}
    for pair in defaults["pair_columns"]:
        if all(name in lower for name in pair):
            return tuple(lower[name] for name in pair)
    if (name := _by_name(others, defaults["text_columns"])) is not None:
        return (name,)
    lengths = {column: sum(len(cell_text(row, column).split()) for row in sheet.rows) for column in others}
    longest = max(lengths, key=lambda column: lengths[column], default=None)
    if longest is None or lengths[longest] < 2 * len(sheet.rows):
        raise DataError(f"{sheet.origin}: which column is the text? Name it with --text: {quoted(sheet.columns)}")
    return (longest,)


def _guess_group(sheet: Sheet, *, used: Sequence[str], defaults: Mapping[str, Any]) -> str | None:
    """Return a column with a usual name whose values come again; None without any."""
    name = _by_name([column for column in sheet.columns if column not in used], defaults["group_columns"])
    values = set() if name is None else _values(sheet, name)
    return name if "" not in values and defaults["min_groups"] <= len(values) < len(sheet.rows) else None


def _by_name(columns: Sequence[str], names: Sequence[str]) -> str | None:
    lower = {column.lower(): column for column in columns}
    return next((lower[name] for name in names if name in lower), None)


def _values(sheet: Sheet, column: str) -> set[str]:
    return {cell_text(row, column) for row in sheet.rows}


def _with_comma(values: Iterable[str]) -> str:
    """Return the first of numbers that has a decimal comma; nothing where there is none, or a value is not a number."""
    values = list(values)
    if not all(_DECIMAL_COMMA.fullmatch(value) for value in values):
        return ""
    return next((value for value in values if "," in value), "")


def _is_counting(counts: Counter[str], *, rows: int) -> bool:
    return len(counts) == rows and all(value.isdecimal() for value in counts)
