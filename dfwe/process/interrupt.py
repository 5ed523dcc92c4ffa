"""Ctrl-C and SIGTERM: the process ends within two seconds, with one line that says how to go on."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import NoReturn

EXIT_CODE = 128 + signal.SIGINT  # as shells have it
TERMINATED = 128 + signal.SIGTERM
GOES_ON = "the same command goes on where it stopped"
_WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
Hook = Callable[["sys.UnraisableHookArgs"], object]
_PATIENCE = 1.0  # seconds in which the process may tidy up; what is on disk is safe at any moment, as after kill -9


@dataclass
class _End:
    """The end that a signal asks for; `number` is the signal's, None before there is one."""

    advice: str
    number: int | None = None
    _said: threading.Lock = field(default_factory=threading.Lock)

    def hear(self, number: int, frame: FrameType | None) -> None:
        """Begin the end at the first signal; a second one must not disturb the tidying up."""
        if self.number is None:
            self.number = number
            raise KeyboardInterrupt

    def now(self) -> NoReturn:
        """End the process, by whoever comes first; at once, since taking large libraries down can last a second."""
        assert self.number is not None
        line = ": ".join(part for part in (_WORDS[signal.Signals(self.number)], self.advice) if part)
        with self._said, suppress(OSError, ValueError):  # nobody may be there to read it
            print(line, file=sys.stderr, flush=True)
            sys.stdout.flush()
        os._exit(128 + self.number)


@contextmanager
def signals_end(advice: str = GOES_ON) -> Iterator[None]:
    """End the process at Ctrl-C (130) and at SIGTERM (143): tidily, or without more ado after `_PATIENCE`.

    Both raise KeyboardInterrupt. Python hears a signal between two of its own instructions only, and tidying up may
    take its time. Hence the wake-up descriptor, which the system's handler writes to at once, and a thread that reads
    it. Whatever comes out after a signal is its doing: libraries make SystemExit of an interrupt (Lightning), or an
    ImportError.
    """
    end = _End(advice)
    with ExitStack() as stack:
        for number in _WORDS:
            _listen(number, end=end, stack=stack)
        _watch(end, stack=stack)
        try:
            yield
        except BaseException:
            if end.number is None:
                raise
            end.now()
        if end.number is not None:
            end.now()


@contextmanager
def kept_interrupt() -> Iterator[None]:
    """Raise the interrupt for what goes wrong because of it, such as a file that was half written."""
    try:
        yield
    except Exception as error:
        if is_because_of(error, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise


def is_because_of(error: BaseException | None, kind: type[BaseException]) -> bool:
    """Return whether the error, or one that led to it, is of this kind."""
    seen: set[int] = set()  # a chain of causes can be a ring
    while error is not None and not isinstance(error, kind) and id(error) not in seen:
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return isinstance(error, kind)


def _listen(number: signal.Signals, *, end: _End, stack: ExitStack) -> None:
    """Hear the signal until the stack ends; one that the shell told the process to ignore stays ignored."""
    before = signal.getsignal(number)
    if before is not signal.SIG_IGN:
        signal.signal(number, end.hear)
        stack.callback(signal.signal, number, before)


def _watch(end: _End, *, stack: ExitStack) -> None:
    """Start the thread that ends the process when its time is over, and keep quiet what an interrupt breaks."""
    woken, waker = socket.socketpair()
    waker.setblocking(False)
    stack.callback(waker.close)
    stack.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False))
    threading.Thread(target=_end_late, args=(woken, end), daemon=True).start()
    stack.callback(setattr, sys, "unraisablehook", sys.unraisablehook)
    sys.unraisablehook = _quiet_after(end, otherwise=sys.unraisablehook)


def _quiet_after(end: _End, *, otherwise: Hook) -> Hook:
    """Return a hook that says nothing of an interrupt that comes in a destructor, where Python cannot raise it."""

    def hook(unraisable: sys.UnraisableHookArgs) -> None:
        if end.number is None:
            otherwise(unraisable)

    return hook


def _end_late(woken: socket.socket, end: _End) -> None:
    with woken:
        while (number := woken.recv(1)) and number[0] not in _WORDS:
            pass
    if not number:  # the other end is closed: nothing is waited for any more
        return
    time.sleep(_PATIENCE)
    end.number = end.number or number[0]
    end.now()
