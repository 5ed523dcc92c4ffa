"""Ctrl-C: it ends within two seconds, with the line that says how to go on."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

EXIT_CODE = 130  # 128 + SIGINT, as shells have it
LINE = "interrupted: the same command goes on where it stopped"
_PATIENCE = 1.0  # seconds in which the process may tidy up; what is on disk is safe at any moment, as after kill -9


@contextmanager
def ctrl_c_ends() -> Iterator[None]:
    """Ends the process at Ctrl-C with `LINE` and `EXIT_CODE`: tidily, or without more ado after `_PATIENCE`.

    Python hears a signal between two of its own instructions only, and tidying up may take its time. Hence the wake-up
    descriptor, which the system's handler writes to at once, and a thread that reads it. Lightning makes SystemExit of
    an interrupt; that, too, is one here.
    """
    woken, waker = socket.socketpair()
    waker.setblocking(False)
    before = signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    heard, said = threading.Event(), threading.Lock()
    threading.Thread(target=_end_late, args=(woken, heard, said), daemon=True).start()
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as error:
        if isinstance(error, SystemExit) and not heard.wait(0.1):
            raise
        _end(said)
    finally:
        signal.set_wakeup_fd(before)
        waker.close()


@contextmanager
def kept_interrupt() -> Iterator[None]:
    """What else goes wrong because of an interrupt, such as a file that was half written, is the interrupt."""
    try:
        yield
    except Exception as error:
        if _is_of_an_interrupt(error):
            raise KeyboardInterrupt from error
        raise


def _is_of_an_interrupt(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _end_late(woken: socket.socket, heard: threading.Event, said: threading.Lock) -> None:
    with woken:
        while (number := woken.recv(1)) and number[0] != signal.SIGINT:
            pass
    if not number:  # the other end is closed: nothing is waited for any more
        return
    heard.set()
    time.sleep(_PATIENCE)
    _end(said)


def _end(said: threading.Lock) -> NoReturn:
    """Ends the process, by whoever comes first; at once, since taking large libraries down can last a second."""
    with said:
        print(LINE, file=sys.stderr, flush=True)
        sys.stdout.flush()
        os._exit(EXIT_CODE)
