"""The store: finished results in folders named by digest, unfinished ones beside them until they are committed."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dfwe.errors import StoreError
from dfwe.store.card import CARD, Card, file_digest, library_versions, spec_digest

log = logging.getLogger(__name__)

Signature = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class Entry:
    """A finished result: its folder and its card."""

    folder: Path
    card: Card

    def file(self, name: str) -> Path:
        """The path of one of its files; StoreError if the card does not list it."""
        if name not in self.card.files:
            raise StoreError(f"{self.folder} has no file '{name}', only {sorted(self.card.files)}")
        return self.folder / name


@dataclass(frozen=True)
class Store:
    """Results on disk under one folder; `root/<kind>-<digest>` when finished, with `.partial` before."""

    root: Path
    _verified: dict[Path, tuple[Signature, Entry]] = field(default_factory=dict, compare=False, repr=False)

    def folder(self, kind: str, *, spec: Mapping[str, Any]) -> Path:
        """Where the result of that spec lies or will lie."""
        return self.root / f"{kind}-{spec_digest(kind, spec)}"

    def find(self, kind: str, *, spec: Mapping[str, Any]) -> Entry | None:
        """The finished result of that spec, or None.

        A result whose files do not match their digests is never used: it is renamed to `.corrupt` with a warning, and
        None comes back, so that it is made again.
        """
        folder = self.folder(kind, spec=spec)
        if not folder.exists():
            return None
        signature, known = _signature(folder), self._verified.get(folder)
        if known is not None and known[0] == signature:  # verified by this process, and not touched since
            return known[1]
        try:
            entry = verify(folder)
        except StoreError as error:
            shutil.rmtree(corrupt := folder.with_name(folder.name + ".corrupt"), ignore_errors=True)
            folder.rename(corrupt)
            log.warning("%s; it was set aside as %s and is made again", error, corrupt.name)
            return None
        _warn_of_other_versions(entry)
        self._verified[folder] = (signature, entry)
        return entry

    def partial(self, kind: str, *, spec: Mapping[str, Any]) -> Path:
        """The working folder of an unfinished result; what a killed run left there is still there."""
        folder = self.folder(kind, spec=spec)
        partial = folder.with_name(folder.name + ".partial")
        partial.mkdir(parents=True, exist_ok=True)
        return partial

    def commit(self, kind: str, *, spec: Mapping[str, Any], result: Mapping[str, Any], keep: tuple[str, ...]) -> Entry:
        """Finishes a result: keeps these files of its working folder, writes the card, renames the folder."""
        partial, folder = self.partial(kind, spec=spec), self.folder(kind, spec=spec)
        for path in partial.iterdir():
            if path.name not in keep:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        files = {name: file_digest(path) for name, path in _files(partial)}
        Card(kind, spec_digest(kind, spec), spec, result, files, library_versions()).write(partial)
        if folder.exists():  # another process finished the same result first; both are equal
            shutil.rmtree(partial)
        else:
            partial.rename(folder)
        return verify(folder)


def verify(folder: Path) -> Entry:
    """The entry in the folder, all its files checked; StoreError names the file that is missing or changed."""
    card = Card.read(folder)
    for name, expected in card.files.items():
        path = folder / name
        if not path.is_file():
            raise StoreError(f"{path} is missing")
        if file_digest(path) != expected:
            raise StoreError(f"{path} is not what was stored (its sha256 or size changed)")
    return Entry(folder, card)


def _signature(folder: Path) -> Signature:
    """What changes when somebody writes into the folder."""
    stats = ((path, path.stat()) for path in sorted(folder.rglob("*")))
    return tuple((str(path), stat.st_size, stat.st_mtime_ns) for path, stat in stats)


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != CARD:
            yield path.relative_to(folder).as_posix(), path


def _warn_of_other_versions(entry: Entry) -> None:
    now, then = library_versions(), entry.card.versions
    other = [f"{name} {then.get(name)} (now {now[name]})" for name in now if then.get(name) != now[name]]
    if other:
        log.warning("%s was made with %s; it is used as it is", entry.folder.name, ", ".join(other))
