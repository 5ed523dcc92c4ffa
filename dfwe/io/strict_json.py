"""JSON that others wrote: one error with file and place for all that can be wrong with it.

Refused are, besides broken syntax: nesting deeper than `MAX_DEPTH`, whole numbers of more than `MAX_DIGITS` digits,
numbers that no float can hold (1e400), and NaN and Infinity, which are not JSON. A lone surrogate (half of a character,
such as "\\ud800") can be written nowhere: U+FFFD, the replacement character, takes its place.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfwe.controls import CONTROLS
from dfwe.errors import DataError, DfweError
from dfwe.io.files import read_text

MAX_DEPTH = 50  # what we write has ten levels at most; code that walks deeper values ends at Python's own limit
MAX_DIGITS = 300  # more would not fit a float
REPLACEMENT = "\ufffd"

_TOKEN = re.compile(
    r'"(?:[^"\\]|\\.)*"?|(?P<open>[\[{])|(?P<close>[\]}])|(?P<number>-?[0-9][0-9.eE+-]*|-?Infinity|NaN)'
)
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class _Place:
    """Where a text stands, for messages."""

    text: str
    where: str
    line: int | None

    def at(self, position: int) -> str:
        """Return the file, line and column of a position in the text."""
        line = self.line or self.text.count("\n", 0, position) + 1
        column = position - self.text.rfind("\n", 0, position)
        return f"{self.where}, line {line}, column {column}" if self.where else f"column {column}"


class _RefusedError(ValueError):
    """A number that JSON's grammar, or a float, does not have."""


def loads(text: str, *, where: str, line: int | None = None, error: type[DfweError] = DataError) -> Any:
    """Return what the text holds; anything wrong with it is an `error`.

    `where` names its file, and `line` the line of it that the text is, if it is one; `where` is empty where the caller
    adds both.
    """
    return loads_counted(text, where=where, line=line, error=error)[0]


def loads_counted(
    text: str, *, where: str, line: int | None = None, error: type[DfweError] = DataError
) -> tuple[Any, int]:
    """Return what the text holds, as `loads` does, and how many lone surrogates were replaced in it."""
    try:
        value = json.loads(text, parse_int=_whole, parse_float=_float, parse_constant=_constant)
    except json.JSONDecodeError as cause:
        raise error(f"{_Place(text, where, line).at(cause.pos)}: broken JSON: {cause.msg}") from None
    except (_RefusedError, RecursionError) as cause:
        raise error(_refusal(text, cause, place=_Place(text, where, line))) from None
    if _is_deep(value):
        raise error(_refusal(text, RecursionError(), place=_Place(text, where, line)))
    return _without_surrogates(value) if "\\u" in text or _SURROGATE.search(text) else (value, 0)


def json_text(value: Any) -> str:
    """Return one line of JSON whose texts steer no terminal: what would is written as `\\u001b`, which is the same."""
    return CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(value, ensure_ascii=False))


def read_json(path: Path, *, error: type[DfweError] = DataError, missing: str | None = None) -> Any:
    """Return what the file holds; `missing` are the words for a file that is not there."""
    return loads(read_text(path, error=error, missing=missing), where=str(path), error=error)


def read_json_object(path: Path, *, error: type[DfweError] = DataError, missing: str | None = None) -> dict[str, Any]:
    """Return the file's object; `error` where it holds something else."""
    value = read_json(path, error=error, missing=missing)
    if not isinstance(value, dict):
        raise error(f"{path} must hold a JSON object, not {_kind(value)}")
    return value


def read_json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield each line's number, from 1, and what it holds; blank lines are skipped."""
    for number, line in json_lines(read_text(path, error=DataError)):
        yield number, loads(line, where=str(path), line=number, error=DataError)


def json_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank and their numbers.

    Lines end at "\\n" alone: U+2028, U+0085 and other ends of lines that Python knows are characters of JSON's texts.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip(" \t\r"):
            yield number, line


def _whole(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise _RefusedError
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise _RefusedError
    return value


def _constant(text: str) -> float:
    raise _RefusedError(text)


def _is_deep(value: Any) -> bool:
    """Return whether the value is nested deeper than `MAX_DEPTH`, level by level, so that it cannot recurse itself."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(MAX_DEPTH):
        if not level:
            return False
        children = (child for item in level for child in (item.values() if isinstance(item, dict) else item))
        level = [child for child in children if isinstance(child, (dict, list))]
    return bool(level)


def _refusal(text: str, cause: Exception, *, place: _Place) -> str:
    """Say what is refused, and where: found by reading the text once more, which only a refused text costs."""
    depth = 0
    for token in _TOKEN.finditer(text):
        depth += bool(token["open"]) - bool(token["close"])
        if isinstance(cause, RecursionError) and depth > MAX_DEPTH:
            return f"{place.at(token.start())}: it is nested deeper than {MAX_DEPTH} levels"
        if isinstance(cause, _RefusedError) and token["number"] and _is_refused(token["number"]):
            digits = token["number"] if len(token["number"]) < 20 else f"a number of {len(token['number'])} characters"
            return f"{place.at(token.start())}: expected a finite number that a float can hold, not {digits}"
    return f"{place.where or 'it'} cannot be read: {cause or type(cause).__name__}"


def _is_refused(number: str) -> bool:
    try:
        return not math.isfinite(float(number)) or (number.lstrip("-").isdecimal() and len(number) > MAX_DIGITS)
    except ValueError:
        return False


def _without_surrogates(value: Any) -> tuple[Any, int]:
    """Return the value with every lone surrogate replaced, and their number; it is not deep by now."""
    num = 0

    def mended(part: Any) -> Any:
        nonlocal num
        if isinstance(part, str):
            text, count = _SURROGATE.subn(REPLACEMENT, part)
            num += count
            return text
        if isinstance(part, dict):
            return {mended(key): mended(item) for key, item in part.items()}
        return [mended(item) for item in part] if isinstance(part, list) else part

    return mended(value), num


def _kind(value: Any) -> str:
    names = {
        list: "a list",
        str: "a text",
        bool: "true or false",
        int: "a number",
        float: "a number",
        type(None): "null",
    }
    return names[type(value)]
