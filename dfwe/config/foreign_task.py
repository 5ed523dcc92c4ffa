"""A task as a stranger's file describes it: `dfwe.json` of a merged model, or a task's YAML that nobody vouched for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dfwe.data.prompts.base import Prompt
from dfwe.errors import ConfigurationError
from dfwe.io.strict_yaml import read_yaml
from dfwe.metrics.base import Metric

_INTERPOLATION = re.compile(r"\$\{(?P<up>\.*)(?P<path>[A-Za-z_]\w*(?:\.\w+)*)\}", re.ASCII)


@dataclass(frozen=True)
class TaskContent:
    """What such a file may hold; annotations say what is made of it (`dfwe.config.foreign`)."""

    name: str
    labels: Sequence[str]
    decode: Literal["labels", "candidates", "greedy"]
    max_new_tokens: int
    prompt: Prompt
    metrics: Mapping[str, Metric]
    data: object = None  # not bound here

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise ConfigurationError(f"`max_new_tokens` of {self.name} must be 1 or more, not {self.max_new_tokens}")


def read_foreign_yaml(path: Path) -> Mapping[str, Any]:
    """Return a task's YAML as plain values, `${...}` replaced where it names another value of the same file.

    Resolvers (`${oc.env:...}`, `${oc.create:...}`) are refused, and so is what leads to another `${...}`: a few of
    these would make gigabytes.

    Raises:
        ConfigurationError: the file is broken, or has a `${...}` that is not allowed or leads nowhere.
    """
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path} must hold a task: `name`, `labels`, `prompt` and more")
    resolved = _resolved(content, above=(), where=str(path))
    assert isinstance(resolved, Mapping)
    return resolved


def _resolved(value: Any, *, above: tuple[Any, ...], where: str) -> Any:
    """Return the value, `above` being the containers that it stands in, the outermost first."""
    if isinstance(value, dict):
        return {key: _resolved(item, above=(*above, value), where=f"{where}, `{key}`") for key, item in value.items()}
    if isinstance(value, list):
        return [_resolved(item, above=(*above, value), where=where) for item in value]
    if not isinstance(value, str) or "${" not in value:
        return value
    whole = _INTERPOLATION.fullmatch(value)
    if whole:
        return _named(whole, above=above, where=where)
    text = _INTERPOLATION.sub(lambda match: str(_named(match, above=above, where=where)), value)
    if "${" in _INTERPOLATION.sub("", value):
        raise ConfigurationError(
            f"{where}: '{value[:60]}' is not run from a file: only `${{name}}` of a value beside it"
        )
    return text


def _named(match: re.Match[str], *, above: tuple[Any, ...], where: str) -> Any:
    up = len(match["up"])
    if up > len(above):
        raise ConfigurationError(f"{where}: '{match[0]}' leads out of the file")
    value = above[-up] if up else above[0]
    for key in match["path"].split("."):
        if not isinstance(value, dict) or key not in value:
            raise ConfigurationError(f"{where}: '{match[0]}' names no value of the file")
        value = value[key]
    if _interpolates(value):
        raise ConfigurationError(f"{where}: '{match[0]}' leads to another `${{...}}`: name the value itself")
    return value


def _interpolates(value: Any) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (isinstance(value, str) and "${" in value) or any(map(_interpolates, parts))
