"""Whether what a killed training left can be gone on with."""

from __future__ import annotations

import logging
import pickle
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import torch

from dfwe.errors import StoreError
from dfwe.io.files import is_passing
from dfwe.store.card import file_digest

log = logging.getLogger(__name__)

LAST = "last.ckpt"
_DAMAGE_OF_ZIP = (BadZipFile, zlib.error, struct.error, EOFError, OSError)
_DAMAGE = (*_DAMAGE_OF_ZIP, pickle.UnpicklingError, RuntimeError, ValueError, KeyError)


def resumable(folder: Path, *, state_key: str) -> Path | None:
    """Return the checkpoint in the folder; None where there is none, or it or the best weights beside it are damaged.

    torch does not look at the checksums that its files carry, so they are looked at here. `state_key` is where the
    checkpoint has the state of `KeepBest`, with the digests of the weights' files. What is damaged is removed.

    Raises:
        StoreError: a file cannot be read at the moment.
    """
    last = folder / LAST
    if not last.exists():
        return None
    try:
        _check(last, state_key=state_key)
    except _DAMAGE as error:
        if is_passing(error):
            raise StoreError(f"{last}, or weights beside it, cannot be read: {error}") from error
        log.warning("%s cannot be gone on with (%s): this training starts again", last, error)
        last.unlink()
        return None
    return last


def _check(last: Path, *, state_key: str) -> None:
    with ZipFile(last) as records:
        damaged = records.testzip()
    if damaged is not None:
        raise StoreError(f"'{damaged}' in it is damaged")
    state = _load(last)["callbacks"][state_key]
    files: Mapping[str, Mapping[str, object]] = state["files"]
    for name, expected in files.items():
        if file_digest(last.with_name(name)) != dict(expected):
            raise StoreError(f"{name} beside it is damaged")


def _load(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    except RuntimeError:  # of a file system that maps no files, too
        return torch.load(path, map_location="cpu", weights_only=True)
