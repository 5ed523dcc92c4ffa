"""Locks between processes, and what of the store running processes use, which pruning leaves alone.

The operating system holds the locks, so they end with their holder, however that ended.
"""

from __future__ import annotations

import errno
import logging
import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

log = logging.getLogger(__name__)

_USES = "uses"  # the folder of the names that processes use
_GATE = "gate.lock"  # held to add names, and by whoever prunes from reading the names to taking results away
FOLDER = "locks"  # in the store's; the empty files stay, for removing one that somebody waits for would split the lock


@contextmanager
def locked(path: Path, *, title: str) -> Iterator[None]:
    """Holds the lock of that file; waits where another process holds it, and says so once."""
    lock = _lock(path)
    try:
        holder = lock.acquire(blocking=False)
    except Timeout:
        log.info("%s is in another process's hands: waiting for it", title)
        holder = lock.acquire(poll_interval=0.1)
    with holder:
        yield


@contextmanager
def locked_if_free(path: Path) -> Iterator[bool]:
    """Yield whether the lock was free; if so it is held meanwhile."""
    lock = _lock(path)
    try:
        holder = lock.acquire(blocking=False)
    except Timeout:
        yield False
        return
    with holder:
        yield True


def held_lock(path: Path) -> FileLock:
    """The lock of a file that nobody else has, held for as long as the object lives."""
    lock = _lock(path)
    lock.acquire(blocking=False)
    return lock


def _lock(path: Path) -> FileLock:
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path, thread_local=False)


class Uses:
    """The names that this process uses, in a file beside a lock that it holds until the object, or the process, ends.

    A copy in another process, pickled or forked, has a file of its own.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._begin()

    def _begin(self) -> None:
        self._names: set[str] = set()
        self._file = self._root / _USES / f"{uuid.uuid4().hex}.txt"
        self._lock: Any = None
        self._process = os.getpid()

    def add(self, names: Iterable[str]) -> None:
        """Says that these are used from now on."""
        if self._process != os.getpid():
            self._begin()
        new = sorted(set(names) - self._names)
        if not new or not self._root.is_dir():
            return
        try:
            with gate(self._root):
                self._lock = self._lock or held_lock(self._file.with_suffix(".lock"))
                with self._file.open("a", encoding="utf8") as file:
                    file.writelines(f"{name}\n" for name in new)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise
            return  # a store that one may only read: nobody here prunes it
        self._names.update(new)

    def __reduce__(self) -> tuple[Any, ...]:
        return Uses, (self._root,)

    def __del__(self) -> None:
        if self._lock is not None and self._process == os.getpid():
            self._file.unlink(missing_ok=True)
            self._file.with_suffix(".lock").unlink(missing_ok=True)
            self._lock.release()


def gate(root: Path) -> Any:
    """A context in which no process begins to use anything that it has not used before."""
    return locked(root / _USES / _GATE, title="the list of what is used of the store")


def used(root: Path) -> set[str]:
    """The names in use; to be called within `gate`. What killed processes left is removed."""
    names: set[str] = set()
    for file in sorted((root / _USES).glob("*.txt")):
        with locked_if_free(file.with_suffix(".lock")) as dead:
            if dead:
                file.unlink(missing_ok=True)
                file.with_suffix(".lock").unlink(missing_ok=True)
                continue
            with suppress(FileNotFoundError):  # its process has just ended
                names.update(file.read_text(encoding="utf8").splitlines())
    return names
