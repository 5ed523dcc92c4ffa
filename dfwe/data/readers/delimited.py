"""Reads rows of delimited text: CSV, TSV and their kin."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from dfwe.data.bad_rows import BadRow, Rows, bad_row
from dfwe.data.readers.sheet import Row, Sheet, SheetSource, read_text, renamed
from dfwe.errors import ConfigurationError, DataError
from dfwe.values.allowed import Encoding, Name, Where, is_one_character

_DELIMITERS = ("\t", ";", ",", "|")
_QUOTING = "Set the file's `quoting: false` where a quotation mark is a character as any other"
_TOO_LONG = f"a cell has more than {csv.field_size_limit()} characters"

Record = tuple[int, int, Sequence[str] | str]  # first line, last line, the fields or what is wrong with them


@dataclass(frozen=True)
class Delimited(SheetSource):
    """A text file with one record a line; a quoted cell may hold delimiters and line ends.

    A record with too few or too many fields, or with quotes that do not close, is broken, and so is every line that it
    spans: an opening quote too many swallows lines that may have been good. A record that spans lines and is whole is
    odd: where a quote opens by mistake and another closes it in a later row, the rows between are in one cell. Empty
    lines are no records. No cell is taken for a missing value: "NaN", "null" and "NA" are texts.
    """

    path: Name
    delimiter: Annotated[str, Where(is_one_character, "of one character")]  # one character
    quoting: bool  # whether " quotes a cell; without it, " is a character as any other
    columns: Sequence[Name] | None  # null: the first line names them
    encoding: Encoding
    rename: Mapping[str, Name]  # from the file's names to those that the task uses

    def __post_init__(self) -> None:
        if len(self.delimiter) != 1:
            raise ConfigurationError(f"the delimiter of {self.path} must be one character, not '{self.delimiter}'")

    def sheet(self, root: Path) -> Sheet:
        """The file's rows; see SheetSource."""
        path = root / self.path
        records = self._records(read_text(path, encoding=self.encoding))
        named = renamed(self._names(records, path=path), rename=self.rename, origin=str(path))
        rows: list[Row] = []
        bad: list[BadRow] = []
        odd: list[BadRow] = []
        for first, last, fields in records:
            if not isinstance(fields, str) and len(fields) == len(named):
                rows.append(Row(first, dict(zip(named, fields, strict=True))))
                odd += [_spanning(path, first=first, last=last)] if first < last else []
            else:
                bad += self._bad(path, first=first, last=last, fields=fields, named=named)
        if not rows and not bad:
            raise DataError(f"{path} has no rows{'' if self.columns else ' below its header'}: expected at least one")
        return Sheet(str(path), path.stem, named, tuple(rows), Rows(len(rows) + len(bad), tuple(bad), tuple(odd)))

    def _records(self, text: str) -> Iterator[Record]:
        reader = csv.reader(
            io.StringIO(text, newline=""),
            delimiter=self.delimiter,
            quoting=csv.QUOTE_MINIMAL if self.quoting else csv.QUOTE_NONE,
            strict=True,
        )
        while True:
            first = reader.line_num + 1
            try:
                fields: Sequence[str] | str = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                fields = _TOO_LONG if "field limit" in str(error) else str(error)
            if fields:
                yield first, reader.line_num, fields

    def _names(self, records: Iterator[Record], *, path: Path) -> Sequence[str]:
        if self.columns is not None:
            return tuple(self.columns)
        header = next(records, None)
        if header is None:
            raise DataError(f"{path} is empty: its first line must name the columns (or name them under `columns`)")
        if isinstance(header[2], str):
            raise DataError(f"{path}, line {header[0]}: the columns' names cannot be read: {header[2]}")
        if len(header[2]) == 1 and (other := self._other_delimiter(header[2][0])):
            raise DataError(
                f"{path}: the header has one column that contains {other!r}: set the file's `delimiter` to {other!r} "
                f"(it is {self.delimiter!r})"
            )
        return header[2]

    def _bad(
        self, path: Path, *, first: int, last: int, fields: Sequence[str] | str, named: Sequence[str]
    ) -> Iterator[BadRow]:
        wrong, remedy = (fields, "") if isinstance(fields, str) else self._wrong_number(fields, named=named)
        where = "" if first == last else f" in a record of lines {first} to {last}; is a quote not closed"
        for line in range(first, last + 1):
            yield bad_row(path, line=line, reason=wrong + where, remedy=_QUOTING if where else remedy)

    def _wrong_number(self, fields: Sequence[str], *, named: Sequence[str]) -> tuple[str, str]:
        other = self._other_delimiter(fields[0]) if len(fields) == 1 else None
        fits = other is not None and fields[0].count(other) + 1 == len(named)
        remedy = f"Set the file's `delimiter` to {other!r} (it is {self.delimiter!r})" if fits else ""
        return (
            f"{len(fields)} field{'s' if len(fields) > 1 else ''}, expected {len(named)} ({', '.join(named)})",
            remedy,
        )

    def _other_delimiter(self, text: str) -> str | None:
        """The usual delimiter that a text contains most of; None for none."""
        counts = {each: text.count(each) for each in _DELIMITERS if each != self.delimiter}
        most = max(counts, key=lambda each: counts[each])
        return most if counts[most] else None


def _spanning(path: Path, *, first: int, last: int) -> BadRow:
    reason = f"the record goes on to line {last}: a quotation mark opens in one line and closes in a later one"
    return bad_row(path, line=first, reason=reason, remedy=_QUOTING)
