"""From a configuration with a `_target_` to the object it names; what is wrong there is the user's error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import get_class, instantiate

from dfwe.errors import ConfigurationError, DfweError, ModelError


def bind(config: Mapping[str, Any], **arguments: Any) -> Any:
    """The object, lists and mappings in it plain; `_partial_=True` for a function that waits for more arguments.

    Raises:
        DfweError: what the object's class raised; a ConfigurationError for a class or an argument that does not exist.
    """
    try:
        return instantiate(config, _convert_="all", **arguments)
    except InstantiationException as error:
        if isinstance(error.__cause__, DfweError):
            raise error.__cause__ from error
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise ConfigurationError(": ".join(lines[:2])) from error


def call(make: Callable[..., Any], *values: Any, key: str, **arguments: Any) -> Any:
    """What a bound `_partial_` gives; a wrong argument is a ConfigurationError that names the configuration's key."""
    try:
        return make(*values, **arguments)
    except TypeError as error:
        raise ConfigurationError(f"{key}: {error}") from error


def check_own(config: Any, *, where: str) -> None:
    """Raises ModelError where a `_target_` in a configuration that came from elsewhere is no class of dfwe's."""
    if isinstance(config, Mapping):
        target = config.get("_target_")
        if target is not None and not _is_own(target):
            raise ModelError(f"{where} names '{target}', no class of dfwe: say --trust if you know who wrote it")
        check_own(list(config.values()), where=where)
    elif isinstance(config, list):
        for each in config:
            check_own(each, where=where)


def _is_own(target: Any) -> bool:
    """Whether the name is of a class that is defined in dfwe, not of one that dfwe imports."""
    if not str(target).startswith("dfwe."):
        return False
    try:
        found = get_class(target)
    except Exception:  # Hydra raises what the import raises; binding it says more
        return False
    return found.__module__.startswith("dfwe.")
