"""What becomes of a log line on its way to the terminal and the log file."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from dfwe.controls import in_one_line, without_controls

_SUBJECT: ContextVar[str] = ContextVar("subject", default="")


@contextmanager
def about(subject: str) -> Iterator[None]:
    """Let dfwe's log lines of the block begin with what they are of, such as the merge or the expert that is made."""
    token = _SUBJECT.set(subject)
    try:
        yield
    finally:
        _SUBJECT.reset(token)


class Once(logging.Filter):
    """Lets each line of dfwe's pass once, with its subject; no line of anybody's steers the terminal.

    A handler has a filter of its own (`conf/config.yaml`): what one has seen is new to the next.
    """

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[tuple[str, int, str]] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the line passes; it is changed on the way."""
        if record.name.partition(".")[0] != "dfwe":
            record.msg, record.args = without_controls(record.getMessage()), ()
            return True
        line, subject = in_one_line(record.getMessage()), in_one_line(_SUBJECT.get())
        line = line if not subject or subject in line else f"{subject}: {line}"
        record.msg, record.args = line, ()
        key = (record.name, record.levelno, line)
        is_new = key not in self._seen
        self._seen.add(key)
        return is_new
