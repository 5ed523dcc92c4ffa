"""From the user's own configuration with a `_target_` to the object it names; what is wrong there is the user's error.

What a stranger's file holds never comes here, since Hydra interpolates and calls whatever is named: see `foreign`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate

from dfwe.errors import ConfigurationError, DfweError


def bind(config: Mapping[str, Any], **arguments: Any) -> Any:
    """The object, lists and mappings in it plain; `_partial_=True` for a function that waits for more arguments.

    Raises:
        DfweError: what the object's class raised; a ConfigurationError for a class or an argument that does not exist.
    """
    try:
        return instantiate(config, _convert_="all", **arguments)
    except InstantiationException as error:
        mistake = _mistake(error)
    raise mistake  # out here: raised while Hydra's error is handled, it would be its own cause's cause


def _mistake(error: InstantiationException) -> DfweError:
    """Return what the object's class raised, or else Hydra's error as one of ours."""
    if isinstance(error.__cause__, DfweError):
        return error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    mistake = ConfigurationError(": ".join(lines[:2]))
    mistake.__cause__ = error
    return mistake


def call(make: Callable[..., Any], *values: Any, key: str, **arguments: Any) -> Any:
    """What a bound `_partial_` gives; a wrong argument is a ConfigurationError that names the configuration's key."""
    try:
        return make(*values, **arguments)
    except DfweError:
        raise
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{key}: {error}") from error
