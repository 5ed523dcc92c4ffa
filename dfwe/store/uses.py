"""Which results running processes count on, so that pruning leaves them alone."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from dfwe.store.locks import kept, locked, locked_if_free

FOLDER = "uses"
_GATE = "gate.lock"  # held to add names, and by whoever prunes from reading the names to taking results away


class Uses:
    """The names that this process uses, in a file beside a lock that it holds until the object, or the process, ends.

    A copy in another process, pickled or forked, has a file of its own.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._begin()

    def _begin(self) -> None:
        self._names: set[str] = set()
        self._file = self._root / FOLDER / f"{uuid.uuid4().hex}.txt"
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
                self._lock = self._lock or kept(self._file.with_suffix(".lock"))
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
    return locked(root / FOLDER / _GATE, title="the list of what is used of the store")


def used(root: Path) -> set[str]:
    """The names in use; to be called within `gate`. What killed processes left is removed."""
    names: set[str] = set()
    for file in sorted((root / FOLDER).glob("*.txt")):
        with locked_if_free(file.with_suffix(".lock")) as dead:
            if dead:
                file.unlink(missing_ok=True)
                file.with_suffix(".lock").unlink(missing_ok=True)
                continue
            with suppress(FileNotFoundError):  # its process has just ended
                names.update(file.read_text(encoding="utf8").splitlines())
    return names
