"""A store that cannot be written: a full disk, a read-only place, a file in its place; said in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from dfwe.errors import DfweError, OutputError, StoreError
from dfwe.io.files import file_of, is_full, output_errors


@contextmanager
def full_disk_said(root: Path) -> Iterator[None]:
    """Turn what a full disk, or a store that cannot be written, gives into one line with what to do; others pass.

    An error that names no file is taken to be of the store, where nearly all that is written lies.
    """
    with output_errors(root, below=root, named=True):
        try:
            yield
        except (OSError, SafetensorError) as error:
            cause = error.__cause__ if isinstance(error, OutputError) else error
            if cause is None or isinstance(cause, DfweError) or not is_full(cause):
                raise
            file = error.path if isinstance(error, OutputError) else file_of(cause)
            if file is not None and not Path(file).absolute().is_relative_to(root.absolute()):
                raise
            where = f" at {file}" if file else ""
            raise StoreError(
                f"the disk is full{where}: make room, for instance with `python -m dfwe.store prune "
                f"--store {root} --older-than DAYS`, and repeat the command: it goes on where it stopped"
            ) from error
