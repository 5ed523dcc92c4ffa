"""A command as a process of its own: what it prints at its end, and the code that it ends with.

| end | on stderr | exit code |
|---|---|---|
| done | nothing | 0 |
| a mistake of the user's, or a file or disk that fails | one line | 2 |
| a fault of dfwe's | the traceback | 1 |
| whoever reads the output has closed it, as `head` does | nothing | 141 (128 + SIGPIPE) |
| Ctrl-C | one line | 130 (128 + SIGINT) |
| SIGTERM | one line | 143 (128 + SIGTERM) |

Light: what else a command imports, and that takes time, comes after this, so that Ctrl-C is heard meanwhile.
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn, TextIO

from dfwe.controls import in_one_line
from dfwe.errors import DfweError
from dfwe.process.interrupt import is_because_of, signals_end

FAILED = 2
_NO_ROOM = "the output cannot be written: no space left on the device"
PIPE_CLOSED = 128 + signal.SIGPIPE


def exit_code(command: Callable[[], object]) -> int:
    """Run a command and return 0, or 2 after an error that the user can fix, which goes to stderr as one line."""
    try:
        command()
    except Exception as error:  # what cannot be put in a line is raised again
        if (words := words_of(error)) is None:
            raise
        complain(words)
        return FAILED
    return 0


def words_of(error: BaseException) -> str | None:
    """Return what to tell the user of an error; None for a fault of dfwe's, whose traceback tells more."""
    if isinstance(error, DfweError):
        return str(error)
    if isinstance(error, OSError) and error.filename is not None:  # a file that cannot be read or written
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:  # of a stream, which has no name
        return _NO_ROOM
    return None


def complain(words: str) -> str:
    """Print an error as one line on stderr and return the line."""
    line = in_one_line(f"error: {words}")
    with suppress(OSError):  # nobody reads it
        print(line, file=sys.stderr, flush=True)
    return line


def as_process(main: Callable[[], int], *, advice: str = "") -> NoReturn:
    """Run a command as the whole process and end it as the table above has it; `advice` follows "interrupted"."""
    logging.raiseExceptions = False  # a log line that nobody can read any more is not worth a traceback
    for stream in (sys.stdout, sys.stderr):
        _print_anything(stream)
    with signals_end(advice):
        code = _flushed(_code_of(main))
    for number in (signal.SIGINT, signal.SIGTERM):  # all is done: from here on a signal ends Python without a word
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    sys.exit(code)


def _code_of(main: Callable[[], int]) -> int:
    try:
        return main()
    except SystemExit as end:  # of argparse, of Hydra; of rich, which meets the closed pipe by itself
        return PIPE_CLOSED if is_because_of(end, BrokenPipeError) else _number(end.code)
    except BrokenPipeError:
        return PIPE_CLOSED
    except Exception as error:
        if (words := words_of(error)) is None:
            traceback.print_exc()
            return 1
        complain(words)
        return FAILED


def _number(code: object) -> int:
    """Return the exit code that Python makes of an argument of `sys.exit`."""
    if code is None or isinstance(code, int):
        return code or 0
    complain(str(code))
    return 1


def _print_anything(stream: TextIO | None) -> None:
    """Let the stream print a question mark for a letter that its encoding lacks, not fail."""
    if stream is not None and hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")


def _flushed(code: int) -> int:
    """Write what is still to be written and return the exit code; Python's own attempt at its end would be noisy."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return code or PIPE_CLOSED
        complain(words_of(error) or f"the output cannot be written: {error.strerror}")
        return code or FAILED
    return code
