"""From the user's own configuration to plain Python, and to the object that a `_target_` names.

What a stranger's file holds never comes here, since Hydra interpolates and calls whatever is named: see `foreign`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import get_class, get_object, instantiate
from omegaconf import OmegaConf

from dfwe.errors import ConfigurationError, DfweError
from dfwe.io.strict_yaml import read_yaml


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


def class_of(config: Mapping[str, Any]) -> Any:
    """Return the class that a part's `_target_` names; ConfigurationError where there is none."""
    try:
        return get_class(config["_target_"])
    except (ImportError, ValueError) as error:
        raise ConfigurationError(f"{config['_target_']}: {error}") from error


def metric_part(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a metric's configuration, one that names a user's function in the form that other settings go with."""
    name = str(config["_target_"])
    if name.startswith("dfwe.") or _is_class(name):
        return dict(config)
    settings = {key: value for key, value in config.items() if key != "_target_"}
    return {"_target_": "dfwe.metrics.function.own_function", "function": name, **settings}


def _is_class(name: str) -> bool:
    try:
        return isinstance(get_object(name), type)
    except (ImportError, ValueError):
        return False  # the function's own import says what is wrong, better


def _mistake(error: InstantiationException) -> DfweError:
    """Return what the object's class raised, or else Hydra's error as one of ours."""
    if isinstance(error.__cause__, DfweError):
        return error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    mistake = ConfigurationError(": ".join(lines[:2]))
    mistake.__cause__ = error
    return mistake


def call(make: Callable[..., Any], *values: Any, key: str, **arguments: Any) -> Any:
    """Call a bound `_partial_`; a wrong argument is a ConfigurationError that names the configuration's key."""
    try:
        return make(*values, **arguments)
    except DfweError:
        raise
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{key}: {error}") from error


def plain(config: Any) -> dict[str, Any]:
    """Return the configuration as plain Python, interpolations resolved."""
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def option_file(folder: Path, name: str, *, key: str) -> dict[str, Any]:
    """Read an option of a group that Hydra did not compose.

    Raises:
        ConfigurationError: the group has no such option; `key` is where the name was said.
    """
    path = folder / f"{name}.yaml"
    if not path.is_file():
        options = ", ".join(sorted(file.stem for file in folder.glob("*.yaml")))
        raise ConfigurationError(f"unknown {key} '{name}': choose among {options}")
    return plain(OmegaConf.create(read_yaml(path)))


def check_optimizer(optimizer: Mapping[str, Any], *, lr: float) -> None:
    """Build the optimizer once on a dummy parameter, so that a wrong argument shows now."""
    import torch  # seconds, which reading a configuration should not pay

    call(bind(optimizer, lr=lr), [torch.nn.Parameter(torch.zeros(1))], key="trainer.optimizer")
