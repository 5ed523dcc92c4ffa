"""Reads rows of JSON lines: one object a line, its keys are the columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfwe.data.bad_rows import BadRow, Rows, bad_row
from dfwe.data.readers.sheet import Row, Sheet, SheetSource, cell_of, read_text, renamed
from dfwe.errors import DataError
from dfwe.io.strict_json import json_lines, loads_counted
from dfwe.values.allowed import Encoding, Name

_SURROGATE = "lone surrogates (halves of characters, such as \\ud800) were replaced by U+FFFD"


@dataclass(frozen=True)
class JsonLines(SheetSource):
    """A text file with one JSON object a line; empty lines are skipped, a key that an object lacks is an empty cell."""

    path: Name
    encoding: Encoding
    rename: Mapping[str, Name]  # from the file's keys to the names that the task uses

    def sheet(self, root: Path) -> Sheet:
        """The file's rows; see SheetSource."""
        path = root / self.path
        objects: list[tuple[int, Mapping[str, Any]]] = []
        bad: list[BadRow] = []
        odd: list[BadRow] = []
        for line, text in json_lines(read_text(path, encoding=self.encoding)):
            try:
                found, num_replaced = _object(text)
            except DataError as error:
                bad.append(bad_row(path, line=line, reason=str(error)))
                continue
            objects.append((line, found))
            odd += [bad_row(path, line=line, reason=f"{num_replaced} {_SURROGATE}")] if num_replaced else []
        if not objects and not bad:
            raise DataError(f"{path} is empty: expected one JSON object a line")
        keys = tuple(dict.fromkeys(key for _, each in objects for key in each))
        named = dict(zip(keys, renamed(keys, rename=self.rename, origin=str(path)), strict=True))
        empty = dict.fromkeys(named.values(), "")
        rows = tuple(
            Row(line, empty | {named[key]: cell_of(value) for key, value in each.items()}) for line, each in objects
        )
        return Sheet(
            str(path), path.stem, tuple(named.values()), rows, Rows(len(rows) + len(bad), tuple(bad), tuple(odd))
        )


def _object(text: str) -> tuple[Mapping[str, Any], int]:
    value, num_replaced = loads_counted(text, where="")
    if not isinstance(value, dict):
        raise DataError("not a JSON object")
    return value, num_replaced
