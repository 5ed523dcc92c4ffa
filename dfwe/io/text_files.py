"""Text files that others wrote: UTF-8, and an error with file and place where one is not."""

from __future__ import annotations

from pathlib import Path

from dfwe.errors import DataError, DfweError


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
