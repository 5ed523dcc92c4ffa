"""Identity of results: specs hold bare names of our classes, so that code can move without renaming results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
