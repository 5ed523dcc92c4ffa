"""What lies beside every result: what made it, with which versions, and the digests of its files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dfwe.errors import DfweError, StoreError
from dfwe.io.files import is_passing, write_json
from dfwe.io.strict_json import read_json_object

FORMAT = 2  # raised when the meaning of a stored result changes; part of every digest
CARD = "card.json"
_TEXTS = ("kind", "digest", "title", "sha256")
VERSIONS_OF = ("dfwe", "torch", "transformers", "pytorch-lightning", "nevergrad", "numpy")


@dataclass(frozen=True)
class Card:
    """A result's card.

    `spec` is everything that made the result (the digest of its `identity` is the name), `result` what it says (scores,
    choices), `files` each file's sha256 and size, `versions` the libraries, which are recorded but not part of the
    name, `title` what the user read while it was made, `sha256` the card's own digest.
    """

    kind: str
    digest: str
    spec: Mapping[str, Any]
    result: Mapping[str, Any]
    files: Mapping[str, Mapping[str, Any]]
    versions: Mapping[str, str]
    format: int = FORMAT
    title: str = ""
    sha256: str = ""

    def write(self, folder: Path) -> None:
        """Writes the card with its digest into the folder, whole or not at all."""
        content = asdict(self)
        write_json(folder / CARD, content | {"sha256": _own_digest(content)})

    @classmethod
    def read(cls, folder: Path) -> Card:
        """The folder's card; fields that a newer version added are passed over.

        Raises:
            NewerFormatError: a newer version made the result, and means something else by it.
            UnreadableError: it cannot be read at the moment.
            StoreError: the card is missing, broken, changed, not a card, or leaves the folder.
        """
        path = folder / CARD
        try:
            content = read_json_object(path, error=StoreError, missing=f"{folder} holds no {CARD}")
        except StoreError as error:
            if is_passing(error.__cause__):
                raise UnreadableError(str(error)) from error
            raise
        check_format(content, path=path)
        card = cls(**_checked(content, path=path))
        for name in card.files:
            if Path(name).is_absolute() or ".." in Path(name).parts:
                raise StoreError(f"{path} names a file '{name}' outside its folder")
        if card.sha256 != _own_digest(content) or not folder.name.startswith(f"{card.kind}-{card.digest}"):
            raise StoreError(f"{path} is not what was stored (its own sha256, or the folder's name, is another)")
        return card


class UnreadableError(DfweError):
    """A result that cannot be read at the moment, as others may, or this process later: never taken for damaged."""


class NewerFormatError(DfweError, OSError):
    """A result of a newer version, which is sound, and not for this one: never taken for a damaged one."""


def check_format(content: Mapping[str, Any], *, path: Path) -> None:
    """Check that this version knows the card's format; NewerFormatError otherwise."""
    number = content.get("format", FORMAT)
    if isinstance(number, int) and number > FORMAT:
        raise NewerFormatError(
            f"{path} was made by a newer version of dfwe (format {number}, this one reads up to {FORMAT}): it is left "
            "alone; update dfwe, or set paths.store to another folder"
        )


def _checked(content: Mapping[str, Any], *, path: Path) -> dict[str, Any]:
    """Return the fields that this version knows, each of its type; StoreError where one is missing or of another."""
    entries: dict[str, Any] = {}
    for field in fields(Card):
        if field.name not in content:
            if field.default is MISSING:
                raise StoreError(f"{path} is not a readable card: it lacks '{field.name}'")
            continue
        value = entries[field.name] = content[field.name]
        expected = int if field.name == "format" else str if field.name in _TEXTS else Mapping
        if not isinstance(value, expected):
            raise StoreError(f"{path} is not a readable card: '{field.name}' is {type(value).__name__}")
    for name, file in entries["files"].items():
        if not isinstance(file, Mapping) or not isinstance(file.get("bytes"), int) or "sha256" not in file:
            raise StoreError(f"{path} is not a readable card: the file '{name}' needs its sha256 and bytes")
    return entries


def spec_digest(kind: str, spec: Mapping[str, Any]) -> str:
    """16 hexadecimal digits that name the result of that kind made by that spec."""
    text = json.dumps({"format": FORMAT, "kind": kind, "spec": identity(spec)}, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _own_digest(content: Mapping[str, Any]) -> str:
    """The sha256 of a card as JSON holds it, itself aside."""
    plain = json.loads(json.dumps({key: value for key, value in content.items() if key != "sha256"}, allow_nan=False))
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def file_digest(path: Path) -> dict[str, Any]:
    """The file's sha256 and size in bytes."""
    with path.open("rb") as file:
        return {"sha256": hashlib.file_digest(file, "sha256").hexdigest(), "bytes": path.stat().st_size}


def library_versions() -> dict[str, str]:
    """Versions of the libraries that can change a result."""
    return {name: _version(name) for name in VERSIONS_OF}


@cache  # finding a distribution takes milliseconds, a plan finds thousands of results
def _version(name: str) -> str:
    return version(name)


TARGET, CLASS = "_target_", "class"
_OURS = "dfwe."


def identity(spec: Any) -> Any:
    """Return the spec with `class: Ties` for `_target_: dfwe.merging.methods.sparse.Ties`, at any depth.

    Classes of others keep their full path, since two packages may use one name.
    """
    if isinstance(spec, Mapping):
        return {
            (CLASS if key == TARGET else key): _class_name(value) if key == TARGET else identity(value)
            for key, value in spec.items()
        }
    if isinstance(spec, list | tuple):
        return [identity(value) for value in spec]
    return spec


def _class_name(path: Any) -> Any:
    return path.rpartition(".")[2] if isinstance(path, str) and path.startswith(_OURS) else path
