"""Files from their official addresses: resumed where broken off, checked by digest, unpacked where no path may leave.

The standard library's client does the transfer: it follows redirects and proxies, and needs no dependency.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import socket
import stat
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path, PureWindowsPath
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen
from zipfile import BadZipFile, ZipFile, ZipInfo

from dfwe.errors import DataError, DfweError, NetworkError

_CHUNK = 1 << 20
_TIMEOUT = 20.0  # seconds without a byte
_PAUSES = (1.0, 3.0, 0.0)  # seconds after each failed attempt; the last one gives up
_MAX_BYTES, _MAX_FILES = 2 << 30, 10_000  # of one zip, unpacked
_TRY_AGAIN = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Release:
    """A file that somebody publishes: where it belongs below a folder, where it is had, what it must be."""

    path: str
    url: str
    sha256: str | None  # hexadecimal; None where nobody stated it
    optional: bool = False  # whether one can do without


def fetch_all(releases: Sequence[Release], *, folder: Path, tell: Callable[[str], None]) -> list[Release]:
    """Fetches what is not there yet; returns the optional ones that could not be had. `tell` takes lines to show.

    A host that did not answer once is not asked again.

    Raises:
        DataError: a required file could not be had, or a file is not what was published. It lists every file
            that is missing with its address and the path at which to put it by hand.
    """
    missing: list[tuple[Release, DfweError]] = []
    silent: set[str | None] = set()
    for release in releases:
        host = urlsplit(release.url).hostname
        try:
            if host in silent and not (folder / release.path).is_file():
                raise _SilentHostError(f"{host} does not answer")
            tell(f"{release.path}: {'fetched' if fetch(release, folder=folder) else 'already there'}")
        except (NetworkError, DataError) as error:
            missing.append((release, error))
            silent |= {host} if isinstance(error, _SilentHostError) else set()
    lines = [_by_hand(release, folder=folder, reason=reason) for release, reason in missing]
    if any(not release.optional or isinstance(reason, DataError) for release, reason in missing):
        raise DataError("\n".join([f"{len(missing)} files are missing or wrong; bring them by hand:", *lines]))
    for line in lines:
        tell(line)
    return [release for release, _ in missing]


def fetch(release: Release, *, folder: Path) -> bool:
    """Makes `folder / release.path` the published file; False where it already was, and nothing is transferred.

    What arrives lies in `<name>.part` until it is whole and checked; a later call goes on from there.

    Raises:
        DataError: the file that is there, or that arrived, has another digest.
        NetworkError: it cannot be had: no connection, an error of the server, or a page instead of the file.
    """
    target = folder / release.path
    if target.is_file():
        _check_digest(target, release=release, advice="delete it to fetch it again")
        return False
    part = target.with_name(target.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    _transfer_patiently(release.url, part)
    try:
        _check_no_page(part, url=release.url)
        _check_digest(part, release=release, advice="it was thrown away; try again")
    except (DataError, NetworkError):
        part.unlink()
        raise
    part.replace(target)
    return True


def unpack(path: Path, *, folder: Path) -> list[Path]:
    """Unpacks a zip; returns the files it held. Everything is checked before anything is written.

    Raises:
        DataError: no zip, a damaged one, one with a link, with two files of one path, with a path that would leave
            the folder, or with more than 2 GiB or 10,000 files.
    """
    try:
        with ZipFile(path) as archive:
            entries = archive.infolist()
            targets = {entry.filename: _target(entry, folder=folder, archive=path) for entry in entries}
            _check_size(entries, archive=path)
            _check_distinct([targets[e.filename] for e in entries if not e.is_dir()], archive=path)
            damaged = archive.testzip()
            if damaged is not None:
                raise DataError(f"{path}: '{damaged}' in it is damaged; delete the file to fetch it again")
            return [_write(archive, entry, targets[entry.filename]) for entry in entries if not entry.is_dir()]
    except (BadZipFile, NotImplementedError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is no zip that can be read ({error}); delete it to fetch it again") from error


class _SilentHostError(NetworkError):
    """A host that cannot be reached at all."""


class _BrokenOffError(Exception):
    """A transfer that may go on in another attempt."""


def _transfer_patiently(url: str, part: Path) -> None:
    for pause in _PAUSES:
        try:
            return _transfer(url, part)
        except HTTPError as error:
            if error.code not in _TRY_AGAIN:
                raise NetworkError(f"the server answers {error.code} {error.reason}") from error
            reason: Exception = error
        except URLError as error:
            if isinstance(error.reason, socket.gaierror):  # no name service: waiting does not help
                raise _SilentHostError(f"no connection: {error.reason}") from error
            reason = error
        except (_BrokenOffError, HTTPException, OSError) as error:
            reason = error
        time.sleep(pause)
    silent = isinstance(reason, URLError) and not isinstance(reason, HTTPError)
    raise (_SilentHostError if silent else NetworkError)(
        f"given up after {len(_PAUSES)} attempts: {reason}"
    ) from reason


def _transfer(url: str, part: Path) -> None:
    """Adds what the part lacks; raises where the server stops before the end."""
    begun = part.stat().st_size if part.is_file() else 0
    request = Request(url, headers={"User-Agent": "dfwe"} | ({"Range": f"bytes={begun}-"} if begun else {}))
    try:
        with urlopen(request, timeout=_TIMEOUT) as response:
            start, total = _place(response)
            if start not in (0, begun):
                part.unlink(missing_ok=True)
                raise _BrokenOffError(f"asked for bytes from {begun}, got them from {start}")
            with part.open("r+b" if start else "wb") as file:
                file.seek(start)
                while chunk := response.read(_CHUNK):
                    file.write(chunk)
    except HTTPError as error:
        if error.code != 416:  # 416: there is nothing after the part; whole, or of another file
            raise
        total = _number(error.headers.get("Content-Range", ""), after="/")
        if total != begun:
            part.unlink()
            raise _BrokenOffError(f"the part has {begun} bytes, the file {total}") from error
    if total is not None and part.stat().st_size != total:
        raise _BrokenOffError(f"{part.stat().st_size} of {total} bytes arrived")


def _place(response: HTTPResponse) -> tuple[int, int | None]:
    """Where in the file the answer begins, and the file's length in bytes where the server says it."""
    if response.status != 206:  # the server ignores Range
        length = response.headers.get("Content-Length")
        return 0, None if length is None else int(length)
    span = response.headers.get("Content-Range", "")
    start = _number(span, after="bytes ")
    return -1 if start is None else start, _number(span, after="/")


def _number(text: str, *, after: str) -> int | None:
    found = re.search(re.escape(after) + r"(\d+)", text)
    return int(found[1]) if found else None


def _check_no_page(path: Path, *, url: str) -> None:
    with path.open("rb") as file:
        start = file.read(512).lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        raise NetworkError(f"the address gives a web page, not the file: open {url} in a browser and confirm there")


def _check_digest(path: Path, *, release: Release, advice: str) -> None:
    if release.sha256 is None:
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != release.sha256:
        raise DataError(f"{path} has the sha256 {found}, expected {release.sha256} (from {release.url}): {advice}")


def _by_hand(release: Release, *, folder: Path, reason: DfweError) -> str:
    kind = "optional: " if release.optional else ""
    return f"  {kind}{release.url} -> {(folder / release.path).absolute()} ({reason})"


def _target(entry: ZipInfo, *, folder: Path, archive: Path) -> Path:
    """Where the entry goes; DataError unless that is a plain file or folder inside the folder."""
    name = PureWindowsPath(entry.filename)  # knows drives and both kinds of slashes
    target = (folder / entry.filename).resolve()
    if name.drive or name.root or ".." in name.parts or not target.is_relative_to(folder.resolve()):
        raise DataError(f"{archive}: '{entry.filename}' would leave {folder}; nothing was unpacked")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or entry.flag_bits & 1:
        raise DataError(f"{archive}: '{entry.filename}' is a link, no plain file, or encrypted; nothing was unpacked")
    return target


def _check_size(entries: Sequence[ZipInfo], *, archive: Path) -> None:
    """Declared sizes suffice: the reader gives no more of a file than its entry declares."""
    total = sum(entry.file_size for entry in entries)
    if total > _MAX_BYTES or len(entries) > _MAX_FILES:
        raise DataError(
            f"{archive} holds {len(entries)} files of {total} bytes, more than {_MAX_FILES} files or {_MAX_BYTES} "
            "bytes; nothing was unpacked"
        )


def _check_distinct(files: Sequence[Path], *, archive: Path) -> None:
    """Raises DataError where two files have one path, or one lies in the other."""
    folders = {parent for file in files for parent in file.parents}
    if len(set(files)) != len(files) or not folders.isdisjoint(files):
        raise DataError(f"{archive} holds two files of one path; nothing was unpacked")


def _write(archive: ZipFile, entry: ZipInfo, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    with archive.open(entry) as source, part.open("wb") as file:
        shutil.copyfileobj(source, file)
    return part.replace(target)
