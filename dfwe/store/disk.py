"""A full disk, said in one line."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from dfwe.errors import StoreError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_WORDS = ("No space left on device", "Disk quota exceeded")  # SafetensorError has no number


@contextmanager
def full_disk_said(root: Path) -> Iterator[None]:
    """Turns the errors that a full disk gives into a StoreError that says what to do; others pass."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        if isinstance(error, StoreError) or not _is_full(error):
            raise
        file = getattr(error, "filename2", None) or getattr(error, "filename", None)  # of two, where it is written
        where = f" at {file}" if file else ""
        raise StoreError(
            f"the disk is full{where}: make room, for instance with `python -m dfwe.store prune "
            f"--store {root} --older-than DAYS`, and repeat the command: it goes on where it stopped"
        ) from error


def _is_full(error: OSError | SafetensorError) -> bool:
    return getattr(error, "errno", None) in _FULL or any(words in str(error) for words in _WORDS)
