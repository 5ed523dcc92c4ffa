"""Read text files that others wrote; write files and folders whole or not at all.

Files are UTF-8. They are written under a temporary name of their own, then renamed, and readable as the umask says.
Only what was made here is removed. Errors of the system become one `OutputError`, which names the file and what to do.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import shutil
import stat
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dfwe.errors import DataError, DfweError, OutputError

FULL = (errno.ENOSPC, errno.EDQUOT)
_FULL_WORDS = ("No space left on device", "Disk quota exceeded")  # errors from Rust have no number
_PASSING = (
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
    errno.ESTALE,
    errno.ETIMEDOUT,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
)
_ADVICE = {
    errno.EROFS: "the file system is read-only: name another place",
    errno.EACCES: "permission denied: name another place, or change the permissions",
    errno.EPERM: "permission denied: name another place, or change the permissions",
    errno.ENOENT: "its folder is gone: make it again, or name another place",
    errno.EEXIST: "there is a file where a folder is wanted: name another place",
    errno.ENOTDIR: "a part of its path is a file, not a folder: name another place",
    errno.ENAMETOOLONG: "the name is too long: name another place",
    errno.ENXIO: "nobody reads from this pipe: start what reads it first, or name another place",
}
_LONGEST_NAME = 150  # letters that `plain_name` keeps
_LONGEST = 100  # letters of the file's own name in a temporary name; file systems allow 255 bytes


def write_text(path: Path, text: str, *, through: bool = False) -> None:
    """Write a text as UTF-8, its line ends as they are; `through` as in `replacing`."""
    write_bytes(path, text.encode("utf8"), through=through)


def write_json(path: Path, content: Any, *, through: bool = False) -> None:
    """Write JSON that people can read, too; `through` as in `replacing`."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n", through=through)


def write_bytes(path: Path, content: bytes, *, through: bool = False) -> None:
    """Write bytes; `through` as in `replacing`."""
    with replacing(path, through=through) as temporary:
        temporary.write_bytes(content)


@contextmanager
def replacing(path: Path, *, through: bool = False) -> Iterator[Path]:
    """Yield the path of a new empty file, which replaces `path` at the end; after an error it is removed.

    Where `path` is a link, a pipe or a device, nothing is renamed over it: with `through`, which is for paths that the
    user named, the content is written to what it leads to; without, an error says so.

    Raises:
        OutputError: the file cannot be written, or `path` is something else than a file.
    """
    with output_errors(path):
        target = _target(path, through=through)
        if target is None:
            with tempfile.TemporaryDirectory() as folder:
                yield (content := Path(folder) / path.name)
                _pour(content, into=path)
            return
        with output_errors(path, below=target.parent):
            temporary, mode = _new_file(target)
        try:
            with output_errors(path, below=temporary):
                yield temporary
            _set_mode(temporary, mode)  # some libraries change it
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path, *, mark: str | None = None) -> Iterator[Path]:
    """Yield a new empty folder, which becomes `path` at the end; after an error it is removed.

    A folder that is there already is replaced only where it holds the file `mark`, by which it is known as ours.

    Raises:
        OutputError: the folder cannot be written, or `path` is something that was not made here.
    """
    with output_errors(path):
        _check_ours(path, mark=mark)
        with output_errors(path, below=path.parent):
            (temporary := _temporary(path)).mkdir()
        try:
            with output_errors(path, below=temporary):
                yield temporary
            follow_umask(temporary)
            if path.exists():
                _check_ours(path, mark=mark)
                path.rename(old := _temporary(path))
                temporary.rename(path)
                shutil.rmtree(old)
            else:
                temporary.rename(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def plain_name(words: str) -> str:
    """Return words as a name for a file: hyphens for all but letters, digits and `_.+`; a long one is cut."""
    name = re.sub(r"[^\w.+]+", "-", words).strip("-")
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}_{zlib.crc32(name.encode()):08x}"


def make_folder(path: Path) -> None:
    """Make a folder and those that it lies in, where they are missing; OutputError where that cannot be."""
    with output_errors(path):
        path.mkdir(parents=True, exist_ok=True)


def new_folder(path: Path) -> Path:
    """Make a folder that was not there before: this one, else `path_2`, `path_3`, ...; of two processes each has one.

    Raises:
        OutputError: it cannot be made.
    """
    with output_errors(path, below=path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        number, folder = 1, path
        while True:
            try:
                folder.mkdir()
                return folder
            except FileExistsError:
                number += 1
                folder = path.with_name(f"{path.name}_{number}")


@contextmanager
def output_errors(path: Path, *, below: Path | None = None, named: bool = False) -> Iterator[None]:
    """Turn the system's errors about `path`, or what lies at or `below` that folder, into an OutputError; others pass.

    An error that names no file is taken to be about `path` where only writing gives it, unless it must be `named`.
    """
    try:
        yield
    except DfweError:
        raise
    except Exception as error:
        if (named and file_of(error) is None) or not _is_about(error, path=path, below=below):
            raise
        raise OutputError(_words(error, path=path), path=path) from error


def is_full(error: BaseException) -> bool:
    """Return whether a full disk, or a quota that is used up, is what the error is about."""
    return getattr(error, "errno", None) in FULL or any(words in str(error) for words in _FULL_WORDS)


def file_of(error: BaseException) -> str | None:
    """Return the file that a system's error names; of two the one that is written."""
    return getattr(error, "filename2", None) or getattr(error, "filename", None)


def _is_about(error: Exception, *, path: Path, below: Path | None) -> bool:
    if not isinstance(error, OSError):
        return is_full(error)  # safetensors and others have errors of their own
    file = file_of(error)
    if not isinstance(file, str):
        return error.errno in (*FULL, errno.EROFS, errno.EIO, errno.EFBIG)
    place = Path(file).absolute()
    if path.absolute().is_relative_to(place):  # it, or a folder that it is to lie in
        return True
    return below is not None and place.is_relative_to(below.absolute())


def _words(error: Exception, *, path: Path) -> str:
    if is_full(error):
        return f"the disk is full at {path}: make room there, or name another place, and repeat the command"
    reason = getattr(error, "strerror", None) or str(error)
    advice = _ADVICE.get(getattr(error, "errno", None) or 0, f"{reason}: name another place")
    return f"{path} cannot be written: {advice}"


def _target(path: Path, *, through: bool) -> Path | None:
    """Return the file to replace; None for a pipe or a device, which is written to."""
    if path.is_symlink() and not through:
        raise OutputError(f"{path} is a link, which nothing is written over: remove it, or name another place")
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return Path(os.path.realpath(path))
    if stat.S_ISREG(mode):
        return Path(os.path.realpath(path))
    if through and (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)):
        return None
    description = "a folder" if stat.S_ISDIR(mode) else "not a file (a pipe, a device or a socket)"
    raise OutputError(f"{path} is {description}, which nothing is written over: name another place")


def _pour(content: Path, *, into: Path) -> None:
    """Write to a pipe or a device; to a pipe that nobody reads is an error, where the system would wait for ever."""
    descriptor = os.open(into, os.O_WRONLY | os.O_NONBLOCK)
    os.set_blocking(descriptor, True)
    with content.open("rb") as source, os.fdopen(descriptor, "wb", buffering=0) as target:
        shutil.copyfileobj(source, target)


def _temporary(path: Path) -> Path:
    """Return a name beside it that nobody has; hidden, so that no pattern such as *.json matches it."""
    name = path.name.encode()[:_LONGEST].decode(errors="ignore")
    return path.with_name(f".{name}.{secrets.token_hex(6)}.tmp")


def _new_file(path: Path) -> tuple[Path, int]:
    """Make an empty file with a temporary name; its mode follows the umask."""
    temporary = _temporary(path)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        return temporary, stat.S_IMODE(os.fstat(descriptor).st_mode)
    finally:
        os.close(descriptor)


def _check_ours(path: Path, *, mark: str | None) -> None:
    if not os.path.lexists(path):
        return
    if path.is_symlink() or not path.is_dir() or mark is None or not (path / mark).is_file():
        raise OutputError(f"{path} exists and was not made by dfwe: move it away, or name another place")


def follow_umask(folder: Path) -> None:
    """Give files and folders below the modes that the umask gives new ones: some libraries write private files."""
    mode = stat.S_IMODE(folder.stat().st_mode)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            _set_mode(path, mode if path.is_dir() else mode & 0o666)


def _set_mode(path: Path, mode: int) -> None:
    if stat.S_IMODE(path.stat().st_mode) != mode:  # some file systems have no modes, and refuse
        path.chmod(mode)


def is_passing(error: BaseException | None) -> bool:
    """Tell whether what cannot be read is no damage: others may read it, or this process later."""
    return isinstance(error, OSError) and error.errno in _PASSING


def read_text(path: Path, *, error: type[DfweError] = DataError, missing: str | None = None) -> str:
    """Return the file's text, a byte order mark aside.

    Raises:
        DfweError: `error`, where the file is missing (with the words `missing`), is not a regular file, cannot be
            read, or is not UTF-8.
    """
    try:
        if path.exists() and not path.is_file():  # a named pipe would be waited for without end
            raise error(f"{path} must be a file; it is a folder, a pipe or a device")
        content = path.read_bytes()
    except FileNotFoundError:
        raise error(missing or f"{path} is missing") from None
    except (OSError, ValueError) as cause:  # ValueError: a path with a null character
        raise error(f"{path} cannot be read: {getattr(cause, 'strerror', None) or cause}") from cause
    return decoded(content, where=str(path), error=error)


def decoded(content: bytes, *, where: str, error: type[DfweError] = DataError) -> str:
    """Return the bytes as text; `error` names the line that is not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        line = content[: cause.start].count(b"\n") + 1
        raise error(f"{where}, line {line}: the file must be UTF-8 text: {cause.reason}") from cause
