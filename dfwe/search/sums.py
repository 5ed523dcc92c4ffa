"""Digests of a journal's lines: a byte that a disk changed, and that is a good line still, is found by them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

_LENGTH = 65  # 64 hexadecimal digits and the line's end


def sum_of(trial: bytes, *, answers: bytes) -> bytes:
    """The line that vouches for a trial's two lines."""
    return hashlib.sha256(trial + answers).hexdigest().encode() + b"\n"


def first_changed(path: Path, *, expected: Sequence[bytes]) -> int | None:
    """The number, from 1, of the first line in the file of sums that is another than expected; None if none is.

    Lines that are missing at the end (a process was killed before it wrote them, or the journal is from before there
    were any) are added, those beyond the journal's and a torn one are cut.
    """
    content = path.read_bytes() if path.exists() else b""
    found = [content[start : start + _LENGTH] for start in range(0, len(content), _LENGTH)]
    found = [line for line in found if len(line) == _LENGTH][: len(expected)]
    for number, (line, wanted) in enumerate(zip(found, expected, strict=False), 1):
        if line != wanted:
            return number
    if content:
        os.truncate(path, len(found) * _LENGTH)
    for line in expected[len(found) :]:
        add_sum(path, line)
    return None


def add_sum(path: Path, line: bytes) -> None:
    """Adds a line and waits until it is on disk."""
    with path.open("ab") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
