"""Downloads of public files with pooch (retries, sha256), and unpacking of zips that may be hostile.

The unpacking is our own: `pooch.Unzip` refuses neither links nor zip bombs.
"""

from __future__ import annotations

import stat
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from urllib.parse import urlsplit
from zipfile import BadZipFile, ZipFile, ZipInfo

import pooch
import requests

from dfwe.errors import DataError, DfweError, NetworkError
from dfwe.io.files import make_folder

_TIMEOUT = 20.0  # seconds without a byte
_NUM_RETRIES = 2
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})  # answers after which another attempt may succeed
_MAX_BYTES, _MAX_FILES = 2 << 30, 10_000  # of one zip, unpacked


@dataclass(frozen=True)
class Release:
    """A published file."""

    path: str  # below the folder of downloads
    url: str
    sha256: str | None  # hexadecimal; None if it is not published

    @property
    def optional(self) -> bool:
        """Whether a study can do without it: what has no digest."""
        return self.sha256 is None


def fetch_all(releases: Sequence[Release], *, folder: Path, on_progress: Callable[[str], None]) -> list[Release]:
    """Download the missing files and return the optional ones that are not available.

    `on_progress` receives lines to show. A host that does not answer is asked only once.

    Raises:
        DataError: a required file is not available, or a file differs from the published one. The message lists every
            such file with its address and its local path, so that it can be downloaded by hand.
    """
    failures: list[tuple[Release, DfweError]] = []
    unreachable: set[str | None] = set()
    for release in releases:
        host = urlsplit(release.url).hostname
        try:
            if host in unreachable and not (folder / release.path).is_file():
                raise _UnreachableHostError(f"{host} does not answer")
            is_new = fetch(release, folder=folder)
            on_progress(f"{release.path}: {'fetched' if is_new else 'already there'}")
        except (NetworkError, DataError) as error:
            failures.append((release, error))
            unreachable |= {host} if isinstance(error, _UnreachableHostError) else set()
    lines = [
        f"  {'optional: ' if release.optional else ''}{release.url} -> {(folder / release.path).absolute()} ({error})"
        for release, error in failures
    ]
    if any(not release.optional or isinstance(error, DataError) for release, error in failures):
        raise DataError("\n".join([f"{len(failures)} files are missing or wrong; download them by hand:", *lines]))
    for line in lines:
        on_progress(line)
    return [release for release, _ in failures]


def fetch(release: Release, *, folder: Path) -> bool:
    """Download a file unless it is there; return whether it was downloaded.

    Raises:
        DataError: the existing file, or the downloaded one, has another digest.
        NetworkError: there is no connection, the server reports an error, or sends a web page instead of the file.
    """
    target = folder / release.path
    if target.is_file():
        if release.sha256 is not None and (digest := pooch.file_hash(str(target))) != release.sha256:
            raise DataError(
                f"{target} has the sha256 {digest}, expected {release.sha256} (from {release.url}): delete it to fetch "
                "it again"
            )
        return False
    make_folder(target.parent)
    pooch.get_logger().setLevel("WARNING")
    downloads = pooch.create(
        path=folder,
        base_url="",
        registry={release.path: release.sha256},
        urls={release.path: release.url},
        retry_if_failed=_NUM_RETRIES,
    )
    try:
        downloads.fetch(release.path, downloader=_download)
    except requests.RequestException as error:
        is_silent = isinstance(error, (requests.ConnectionError, requests.Timeout))
        raise (_UnreachableHostError if is_silent else NetworkError)(
            f"given up after {1 + _NUM_RETRIES} attempts: {error}"
        ) from error
    except ValueError as error:  # pooch's word for another digest
        raise DataError(f"{release.url} has another sha256 than published ({error}); try again") from error
    return True


def _download(url: str, output_file: str, downloads: pooch.Pooch) -> None:
    try:
        pooch.HTTPDownloader(timeout=_TIMEOUT)(url, output_file, downloads)
    except requests.HTTPError as error:
        if error.response.status_code not in _TRANSIENT:
            raise NetworkError(f"the server answers {error.response.status_code} {error.response.reason}") from error
        raise
    with Path(output_file).open("rb") as file:
        start = file.read(512).lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        raise NetworkError(f"the address gives a web page, not the file: open {url} in a browser and confirm there")


class _UnreachableHostError(NetworkError):
    """A host that cannot be reached at all."""


def unpack(path: Path, *, folder: Path) -> list[Path]:
    """Unpack a zip and return its files; everything is checked before anything is written.

    Raises:
        DataError: the file is not a zip, is damaged, or contains a link, two files of one path, a path outside of the
            folder, or more than 2 GiB or 10,000 files.
    """
    try:
        with ZipFile(path) as archive:
            entries = archive.infolist()
            files = [folder / entry.filename for entry in entries if not entry.is_dir()]
            if harm := _find_harm(entries, files=files, folder=folder):
                raise DataError(f"{path}{harm}; nothing was unpacked")
            damaged = archive.testzip()
            if damaged is not None:
                raise DataError(f"{path}: '{damaged}' in it is damaged; delete the file to fetch it again")
            archive.extractall(folder)
            return files
    except (BadZipFile, NotImplementedError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is not a readable zip ({error}); delete it to fetch it again") from error


def _find_harm(entries: Sequence[ZipInfo], *, files: Sequence[Path], folder: Path) -> str:
    """Return a reason not to unpack the entries; empty without one.

    Declared sizes suffice: the reader returns no more of a file than its entry declares.
    """
    for entry in entries:
        name = PureWindowsPath(entry.filename)  # knows drives and both kinds of slashes
        is_inside = (folder / entry.filename).resolve().is_relative_to(folder.resolve())
        if name.drive or name.root or ".." in name.parts or not is_inside:
            return f": '{entry.filename}' would leave {folder}"
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR) or entry.flag_bits & 1:
            return f": '{entry.filename}' is a link, a special file or encrypted"
    total = sum(entry.file_size for entry in entries)
    if total > _MAX_BYTES or len(entries) > _MAX_FILES:
        return f" holds {len(entries)} files of {total} bytes, more than {_MAX_FILES} files or {_MAX_BYTES} bytes"
    is_distinct = len(set(files)) == len(files) and {parent for file in files for parent in file.parents}.isdisjoint(
        files
    )
    return "" if is_distinct else " holds two files of one path"
