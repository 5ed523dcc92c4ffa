"""Rows of delimited text: CSV, TSV and similar formats."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dfwe.data.readers.base import RowIssue, RowReport
from dfwe.data.readers.sheet import Sheet, SheetRow, SheetSource, read_text, renamed
from dfwe.errors import DataError
from dfwe.values.allowed import Character, Encoding, Name

_DELIMITERS = ("\t", ";", ",", "|")
_QUOTING = "Remove stray quotation marks, or set the file's `quoting: false` where they are characters as any other"
_SPANNING = "a quotation mark opens in one line and closes in a later one"
_TOO_LONG = f"a cell has more than {csv.field_size_limit()} characters"

Record = tuple[int, int, Sequence[str] | str]  # first line, last line, the fields or an error


@dataclass(frozen=True)
class Delimited(SheetSource):
    """A text file with one record per line; a quoted cell may hold delimiters and line ends.

    A record with too few or too many fields, or with quotes that do not close, is invalid, and so is every line that it
    spans: a stray opening quote swallows lines that may have been valid. A complete record of several lines is
    suspicious: two stray quotes merge the rows between them into one cell. Empty lines are skipped. No cell counts as
    missing: "NaN", "null" and "NA" are texts.
    """

    path: Name
    delimiter: Character
    quoting: bool  # whether " quotes a cell; if false, " is an ordinary character
    columns: Sequence[Name] | None  # null: the first line names them
    encoding: Encoding
    rename: Mapping[str, Name]  # from the file's names to those of the task

    def sheet(self, root: Path) -> Sheet:
        """Read the rows of the file; see SheetSource."""
        path = root / self.path
        records = self._records(read_text(path, encoding=self.encoding))
        named = renamed(self._names(records, path=path), rename=self.rename, origin=str(path))
        rows: list[SheetRow] = []
        invalid: list[RowIssue] = []
        suspicious: list[RowIssue] = []
        for first, last, fields in records:
            if not isinstance(fields, str) and len(fields) == len(named):
                rows.append(SheetRow(first, dict(zip(named, fields, strict=True))))
                if first < last:
                    reason = f"the record goes on to line {last}: {_SPANNING}"
                    suspicious.append(RowIssue(str(path), first, reason, _QUOTING))
            else:
                invalid += self._issues(path, first=first, last=last, fields=fields, named=named)
        if not rows and not invalid:
            raise DataError(f"{path} has no rows{'' if self.columns else ' below its header'}: expected at least one")
        report = RowReport(len(rows) + len(invalid), tuple(invalid), tuple(suspicious))
        return Sheet(str(path), path.stem, named, tuple(rows), report)

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

    def _issues(
        self, path: Path, *, first: int, last: int, fields: Sequence[str] | str, named: Sequence[str]
    ) -> Iterator[RowIssue]:
        reason, remedy = (fields, "") if isinstance(fields, str) else self._field_count(fields, named=named)
        where = "" if first == last else f" in a record of lines {first} to {last}; is a quote not closed"
        for line in range(first, last + 1):
            yield RowIssue(str(path), line, reason + where, _QUOTING if where else remedy)

    def _field_count(self, fields: Sequence[str], *, named: Sequence[str]) -> tuple[str, str]:
        other = self._other_delimiter(fields[0]) if len(fields) == 1 else None
        fits = other is not None and fields[0].count(other) + 1 == len(named)
        remedy = f"Set the file's `delimiter` to {other!r} (it is {self.delimiter!r})" if fits else ""
        count = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
        return f"{count}, expected {len(named)} ({', '.join(named)})", remedy

    def _other_delimiter(self, text: str) -> str | None:
        """Return the most frequent usual delimiter in a text; None without any."""
        counts = {mark: text.count(mark) for mark in _DELIMITERS if mark != self.delimiter}
        best = max(counts, key=lambda mark: counts[mark])
        return best if counts[best] else None


def header_of(path: Path, *, encoding: str) -> tuple[str, str]:
    """Return a file's first line that is not blank, nothing without any, and the delimiter that splits it most."""
    header = next((line for line in read_text(path, encoding=encoding).splitlines() if line.strip()), "")
    header = header[: csv.field_size_limit()]  # a longer name of a column is an error of csv's
    return header, max((",", "\t", ";", "|"), key=lambda mark: len(next(csv.reader([header], delimiter=mark), ())))


def read_delimited(
    path: Path, *, encoding: str, delimiter: str | None = None, quoting: bool = True
) -> tuple[Delimited, Sheet]:
    """Read a table by the delimiter that splits its header into most columns, and by quotes unless these break rows.

    A `delimiter` that the header has is the one. Where the header has quotes, a row that they break is broken; else
    `quoting` is what is tried first.

    Raises:
        DataError: it is empty, missing, or in another encoding.
    """
    header, best = header_of(path, encoding=encoding)
    if not header:
        raise DataError(f"{path} is empty: expected a header and rows")
    best = delimiter if delimiter is not None and delimiter in header else best
    is_quoted = any(len(name) > 1 and name[0] == name[-1] == '"' for name in header.strip().split(best))
    readings = []
    for quotes in (True,) if is_quoted else (quoting, not quoting):
        table = Delimited(path.name, best, quoting=quotes, columns=None, encoding=encoding, rename={})
        readings.append((table, table.sheet(path.parent)))
        if not readings[-1][1].report.invalid:
            break
    return min(readings, key=lambda reading: len(reading[1].report.invalid))
