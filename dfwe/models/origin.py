"""Read what a parent's own card or configuration says of its licence and languages; nothing is guessed."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfwe.errors import ModelError
from dfwe.io.files import read_text
from dfwe.io.strict_json import read_json_object
from dfwe.io.strict_yaml import loads
from dfwe.models.folders import CONFIG, is_hub_name

log = logging.getLogger(__name__)

CARD = "README.md"
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n---[ \t]*(\n|\Z)", re.DOTALL)


@dataclass(frozen=True)
class Origin:
    """Describe a model that another one comes from: licence and languages are empty where it does not say them."""

    title: str
    repository: str | None = None  # its name on the Hub
    license: str = ""
    languages: tuple[str, ...] = ()


def origin_of(name: str | Path, *, title: str) -> Origin:
    """Return what the model of that name, a folder, a file or a repository, says of itself."""
    path = Path(name).expanduser()
    if not path.exists():
        return Origin(title, str(name) if "/" in str(name) and is_hub_name(str(name)) else None)
    folder = path if path.is_dir() else path.parent
    fields = dict(_fields(folder))
    languages = fields.get("language", ())
    languages = languages if isinstance(languages, list) else [languages] if languages else []
    return Origin(title, None, _license(fields), tuple(map(str, languages)))


def _license(fields: Mapping[str, Any]) -> str:
    """Return the licence's name; `other` says it in a field of its own."""
    value = fields.get("license") or ""
    value = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return str(fields.get("license_name") or value) if value == "other" else value


def _fields(folder: Path) -> Iterator[tuple[str, Any]]:
    """Yield the fields of the folder's configuration and, after these, of its card."""
    try:
        if (folder / CONFIG).is_file():
            yield from read_json_object(folder / CONFIG, error=ModelError).items()
        yield from front_matter(folder).items()
    except ModelError as error:
        log.warning("the licence is not known: %s", error)


def front_matter(folder: Path) -> Mapping[str, Any]:
    """Return what the card of the folder has between its first two lines of dashes; empty without any.

    Raises:
        ModelError: it is not YAML.
    """
    path = folder / CARD
    match = _FRONT_MATTER.match(read_text(path, error=ModelError)) if path.is_file() else None
    content = loads(match[1], where=str(path), error=ModelError) if match else {}
    return content if isinstance(content, dict) else {}
