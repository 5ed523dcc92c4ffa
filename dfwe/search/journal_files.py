"""Files of a journal: lines of JSON that are safe once appended, label scores in them, and digests of the lines."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from dfwe.errors import StoreError
from dfwe.io.strict_json import loads
from dfwe.io.text_files import decoded

log = logging.getLogger(__name__)

REMEDY = "the journal, the data or the metric was changed; delete both files of the journal to search again"

_CHECKSUM_LENGTH = 65  # 64 hexadecimal digits and the line's end


def read_lines(path: Path) -> list[bytes]:
    """Return the file's lines, ends included, without a torn last one; none if there is no file.

    Raises:
        StoreError: a line other than the last is not a JSON object.
    """
    content = path.read_bytes() if path.exists() else b""
    lines = [line for line in re.split(rb"(?<=\n)", content) if line]
    broken = [number for number, line in enumerate(lines, 1) if not _is_whole(line)]
    if broken and broken[0] < len(lines):
        raise StoreError(f"{path}, line {broken[0]}: this is not a JSON object; {REMEDY}")
    if broken:
        log.warning("%s: the last line is torn, its trial will be evaluated again", path)
    return lines[: len(lines) - len(broken)]


def parse_line(content: bytes, *, where: str, line: int) -> Any:
    """Parse a line; raise StoreError with its place if it is not JSON."""
    return loads(decoded(content, where=where, error=StoreError), where=where, line=line, error=StoreError)


def truncate_lines(path: Path, *, lines: list[bytes]) -> None:
    """Shorten the file to these lines, its first."""
    if path.exists():
        os.truncate(path, sum(map(len, lines)))


def append_record(path: Path, *, record: Mapping[str, Any]) -> bytes:
    """Append a line of JSON, wait until it is on disk, and return it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return _append(path, json.dumps(record).encode() + b"\n")


def append_checksum(path: Path, trial: bytes, *, answers: bytes) -> None:
    """Append the digest of a trial's two lines, and wait until it is on disk."""
    _append(path, checksum(trial, answers=answers))


def checksum(trial: bytes, *, answers: bytes) -> bytes:
    """Return the line with the digest of a trial's two lines."""
    return hashlib.sha256(trial + answers).hexdigest().encode() + b"\n"


def first_changed(path: Path, *, expected: Sequence[bytes]) -> int | None:
    """Return the number, from 1, of the first checksum in the file that is not the expected one; None if all are.

    A byte that a disk changed may still make a good line: checksums find it. Missing lines at the end (a process was
    killed before it wrote them, or the journal is older than checksums) are added. Surplus and torn ones are cut.
    """
    content = path.read_bytes() if path.exists() else b""
    lines = [content[start : start + _CHECKSUM_LENGTH] for start in range(0, len(content), _CHECKSUM_LENGTH)]
    lines = [line for line in lines if len(line) == _CHECKSUM_LENGTH][: len(expected)]
    for number, (line, wanted) in enumerate(zip(lines, expected, strict=False), 1):
        if line != wanted:
            return number
    if content:
        os.truncate(path, len(lines) * _CHECKSUM_LENGTH)
    for line in expected[len(lines) :]:
        _append(path, line)
    return None


def encode_scores(scores: Float[np.ndarray, "examples labels"]) -> dict[str, Any]:
    """Encode label scores for JSON, to the last bit: their shape, and little-endian float32 numbers in base 64."""
    return {"shape": list(scores.shape), "float32": base64.b64encode(scores.astype("<f4").tobytes()).decode()}


def decode_scores(record: Mapping[str, Any]) -> Float[np.ndarray, "examples labels"]:
    """Decode label scores; raise KeyError, TypeError or ValueError if the record is malformed."""
    numbers = np.frombuffer(base64.b64decode(record["float32"], validate=True), dtype="<f4")
    num_examples, num_labels = record["shape"]
    return numbers.reshape(num_examples, num_labels).astype(np.float32)


def _is_whole(line: bytes) -> bool:
    try:
        return line.endswith(b"\n") and isinstance(parse_line(line, where="", line=1), dict)
    except StoreError:
        return False


def _append(path: Path, line: bytes) -> bytes:
    with path.open("ab") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
    return line
