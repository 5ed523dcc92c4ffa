"""What of `merge.search` is the search's own, and what stands around it: a surrogate in front, a part of dev behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dfwe.errors import ConfigurationError

# where the choice stands, and what there is to choose from
_AROUND = {"surrogate": "surrogates", "confirm": "confirms"}
_SHRINK = "shrink"


def plain_search(config: Mapping[str, Any]) -> dict[str, Any]:
    """`merge.search` without what stands around the search."""
    return {key: value for key, value in config.items() if key not in {*_AROUND, *_AROUND.values(), _SHRINK}}


def chosen(config: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    """What `merge.search.surrogate` (or `.confirm`) names, None where it names nothing.

    Raises:
        ConfigurationError: there is nothing of that name.
    """
    name, known = config.get(key), config.get(_AROUND[key], {})
    if name is None:
        return None
    if name not in known:
        raise ConfigurationError(f"merge.search.{key} must be null or {', '.join(known) or 'left out'}, not '{name}'")
    found: Mapping[str, Any] = known[name]
    return found


def shrinking(config: Mapping[str, Any]) -> tuple[float, ...]:
    """The shares of the way to the uniform merge that `merge.search.shrink` asks to be tried.

    Raises:
        ConfigurationError: there are some, but no part of dev to say whether they help.
    """
    shrink = tuple(config.get(_SHRINK) or ())
    if shrink and config.get("confirm") is None:
        raise ConfigurationError(
            "merge.search.shrink is applied where it helps on dev examples that the search did not see: it needs "
            "merge.search.confirm=held_back or folds"
        )
    return shrink


def search_spec(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of `merge.search` changes results: what stands around it only where it is used."""
    used = {key: dict(found) for key in _AROUND if (found := chosen(config, key)) is not None}
    shrink = shrinking(config)
    return plain_search(config) | used | ({_SHRINK: list(shrink)} if shrink else {})
