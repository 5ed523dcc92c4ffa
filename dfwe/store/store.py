"""The store: finished results in folders named by digest, unfinished ones beside them until they are committed."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from dfwe.errors import DfweError, OutputError, StoreError
from dfwe.io.files import file_of, follow_umask, is_full, is_passing, output_errors
from dfwe.store.card import CARD, Card, UnreadableError, file_digest, identity, library_versions, spec_digest
from dfwe.store.locks import FOLDER, Uses, locked

log = logging.getLogger(__name__)

PARTIAL, CORRUPT = ".partial", ".corrupt"
Signature = tuple[tuple[str, int, int], ...]
Output = tuple[Mapping[str, Any], tuple[str, ...]]  # what goes on the card, and the names of the files to keep


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
        """Return the folder where the result of that spec lies or will lie."""
        return self.root / f"{kind}-{spec_digest(kind, spec)}"

    def find(self, kind: str, *, spec: Mapping[str, Any]) -> Entry | None:
        """The finished result of that spec, or None.

        A result whose files do not match their digests is never used: it is renamed to `.corrupt` with a warning, and
        None comes back, so that it is made again.
        """
        folder = self.folder(kind, spec=spec)
        if not folder.exists():
            if folder.is_symlink():
                raise StoreError(f"{folder} is a link that leads nowhere: mend what it leads to, or remove it")
            return None
        self.reserve([folder.name])
        try:
            return self._verified_entry(folder)
        except StoreError:  # looked at again under the lock: another process may be setting it aside, or has
            with self._lock(folder, title=folder.name):
                return self._sound_entry(folder)

    def get_or_make(
        self, kind: str, *, spec: Mapping[str, Any], make: Callable[[Path], Output], title: str | None = None
    ) -> Entry:
        """The finished result of that spec, made now in its working folder if there is none.

        It is made once: a process that asks while another makes it waits, and finds it. A killed process lets go of it.

        Raises:
            StoreError: the disk is full.
        """
        entry = self.find(kind, spec=spec)
        if entry is not None:
            return entry
        folder = self.folder(kind, spec=spec)
        title = title or kind
        with full_disk_errors(self.root), self._lock(folder, title=title):
            self.reserve([folder.name])
            entry = self._sound_entry(folder) or self._committed_but_for_the_name(folder)
            if entry is not None:
                return entry
            result, keep = make(self.partial(kind, spec=spec))
            return self.commit(kind, spec=spec, result=result, keep=keep, title=title)

    def reserve(self, names: Iterable[str]) -> None:
        """Reserve results, there or not yet: they are not pruned while this process runs."""
        self._uses.add(names)

    def partial(self, kind: str, *, spec: Mapping[str, Any]) -> Path:
        """The working folder of an unfinished result; what a killed run left there is still there."""
        partial = _partial(self.folder(kind, spec=spec))
        partial.mkdir(parents=True, exist_ok=True)
        return partial

    def commit(
        self, kind: str, *, spec: Mapping[str, Any], result: Mapping[str, Any], keep: tuple[str, ...], title: str = ""
    ) -> Entry:
        """Finishes a result: writes the card, keeps these files of its working folder alone, renames the folder."""
        partial, folder = self.partial(kind, spec=spec), self.folder(kind, spec=spec)
        files = {name: file_digest(path) for name, path in _files(partial) if name.split("/")[0] in keep}
        digest = spec_digest(kind, spec)
        Card(kind, digest, identity(spec), result, files, library_versions(), title=title).write(partial)
        follow_umask(partial)  # the store may be others', too
        return self._rename(partial, folder)

    @cached_property
    def _uses(self) -> Uses:
        return Uses(self.root)

    def _lock(self, folder: Path, *, title: str) -> AbstractContextManager[None]:
        return locked(self.root / FOLDER / f"{folder.name}.lock", title=title)

    def _verified_entry(self, folder: Path) -> Entry:
        """The entry, its files read once a process and not again until somebody writes there; errors of `verify`."""
        signature, verified = _signature(folder), self._verified.get(folder)
        if verified is not None and verified[0] == signature:
            return verified[1]
        entry = verify(folder)
        _warn_of_other_versions(entry)
        self._verified[folder] = (signature, entry)
        return entry

    def _sound_entry(self, folder: Path) -> Entry | None:
        """As `find`; to be called by who holds the lock."""
        if not folder.exists():
            return None
        try:
            return self._verified_entry(folder)
        except StoreError as error:
            _remove(corrupt := folder.with_name(folder.name + CORRUPT))
            folder.rename(corrupt)
            log.warning("%s; it was set aside as %s and is made again", error, corrupt.name)
            return None

    def _committed_but_for_the_name(self, folder: Path) -> Entry | None:
        """The result of a process that was killed when the card was written and the folder not yet renamed."""
        partial = _partial(folder)
        if not (partial / CARD).exists():
            return None
        try:
            verify(partial)
        except StoreError as error:
            log.warning("%s; it is made again", error)
            (partial / CARD).unlink()
            return None
        return self._rename(partial, folder)

    def _rename(self, partial: Path, folder: Path) -> Entry:
        files = Card.read(partial).files
        for path in partial.iterdir():
            if path.name != CARD and not any(name.split("/")[0] == path.name for name in files):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        partial.rename(folder)
        return self._verified_entry(folder)


def verify(folder: Path) -> Entry:
    """The entry in the folder, all its files checked; StoreError names the file that is missing or changed.

    An UnreadableError names one that cannot be read at the moment.
    """
    card = Card.read(folder)
    for name, expected in card.files.items():
        _check_file(folder / name, expected=expected)
    return Entry(folder, card)


def _check_file(path: Path, *, expected: Mapping[str, Any]) -> None:
    try:
        if not path.is_file():
            raise StoreError(f"{path} is missing")
        entry = file_digest(path)
    except StoreError:
        raise
    except OSError as error:  # not allowed, or a name that no file can have
        kind = UnreadableError if is_passing(error) else StoreError
        raise kind(f"{path} cannot be read: {error.strerror}") from error
    if any(entry[key] != expected[key] for key in entry):
        raise StoreError(f"{path} is not what was stored (its sha256 or size changed)")


def _remove(path: Path) -> None:
    """Remove a folder of ours, or a link in its place, if it is there."""
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def _partial(folder: Path) -> Path:
    return folder.with_name(folder.name + PARTIAL)


def _signature(folder: Path) -> Signature:
    """Return a value that changes when somebody writes into the folder."""
    paths = sorted(folder.rglob("*"))
    stats = ((path, path.stat() if path.exists() else path.lstat()) for path in paths)  # a link may lead nowhere
    return tuple((str(path), stat.st_size, stat.st_mtime_ns) for path, stat in stats)


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != CARD:
            yield path.relative_to(folder).as_posix(), path


def _warn_of_other_versions(entry: Entry) -> None:
    now, made_with = library_versions(), entry.card.versions
    other = [f"{name} {made_with.get(name)} (now {now[name]})" for name in now if made_with.get(name) != now[name]]
    if other:
        log.warning("%s was made with %s; it is used as it is", entry.folder.name, ", ".join(other))


@contextmanager
def full_disk_errors(root: Path) -> Iterator[None]:
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
                f"the disk is full{where}: make room, for instance with `dfwe store prune "
                f"--store {root} --older-than DAYS`, and repeat the command: it goes on where it stopped"
            ) from error
