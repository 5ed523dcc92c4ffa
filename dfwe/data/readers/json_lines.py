"""Rows of JSON lines: one object per line, with keys as columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfwe.data.readers.base import RowIssue
from dfwe.data.readers.sheet import Sheet, SheetSource, read_text, sheet_of
from dfwe.errors import DataError
from dfwe.io.strict_json import json_lines, loads_counted
from dfwe.values.allowed import Encoding, Name

_SURROGATE = "lone surrogates (halves of characters, such as \\ud800) were replaced by U+FFFD"


@dataclass(frozen=True)
class JsonLines(SheetSource):
    """A text file with one JSON object per line; empty lines are skipped, a missing key is an empty cell."""

    path: Name
    encoding: Encoding
    rename: Mapping[str, Name]  # from the file's keys to the names that the task uses

    def sheet(self, root: Path) -> Sheet:
        """Read the rows of the file; see SheetSource."""
        path = root / self.path
        objects: list[tuple[int, Mapping[str, Any]]] = []
        invalid: list[RowIssue] = []
        suspicious: list[RowIssue] = []
        for line, text in json_lines(read_text(path, encoding=self.encoding)):
            try:
                content, num_replaced = _object(text)
            except DataError as error:
                invalid.append(RowIssue(str(path), line, str(error)))
                continue
            objects.append((line, content))
            suspicious += [RowIssue(str(path), line, f"{num_replaced} {_SURROGATE}")] if num_replaced else []
        if not objects and not invalid:
            raise DataError(f"{path} is empty: expected one JSON object per line")
        return sheet_of(
            objects, origin=str(path), stem=path.stem, rename=self.rename, invalid=invalid, suspicious=suspicious
        )


def _object(text: str) -> tuple[Mapping[str, Any], int]:
    value, num_replaced = loads_counted(text, where="")
    if not isinstance(value, dict):
        raise DataError("not a JSON object")
    return value, num_replaced
