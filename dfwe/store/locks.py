"""Locks between processes: the operating system holds them, so they end with their holder, however that ended."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

log = logging.getLogger(__name__)

FOLDER = "locks"  # in the store's; the empty files stay, for removing one that somebody waits for would split the lock


@contextmanager
def locked(path: Path, *, title: str) -> Iterator[None]:
    """Holds the lock of that file; waits where another process holds it, and says so once."""
    lock = _lock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        log.info("%s is in another process's hands: waiting for it", title)
        lock.acquire(poll_interval=0.1)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def locked_if_free(path: Path) -> Iterator[bool]:
    """Whether the lock was to be had; if so it is held meanwhile."""
    lock = _lock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def kept(path: Path) -> FileLock:
    """The lock of a file that nobody else has, held for as long as the object lives."""
    lock = _lock(path)
    lock.acquire(blocking=False)
    return lock


def _lock(path: Path) -> FileLock:
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path, thread_local=False)
