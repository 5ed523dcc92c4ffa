"""Whether a composed configuration has all its values, each as it may be; light: asked before heavy imports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dfwe.config.hydra_errors import unresolved, words
from dfwe.config.schema import StudyConfig
from dfwe.errors import ConfigurationError
from dfwe.values.check import check, check_part

_OF_EVERY_HEAD = ("columns", "pooling", "dropout")


def complete(config: DictConfig) -> DictConfig:
    """The configuration, its interpolations resolved in place.

    Raises:
        ConfigurationError: an interpolation that leads nowhere, a value that is missing or not allowed, a key
            that there is not.
    """
    try:
        OmegaConf.resolve(config)
        missing = OmegaConf.missing_keys(config)
    except OmegaConfBaseException as error:
        raise ConfigurationError(unresolved(config) or words(error)) from error
    if missing:
        raise ConfigurationError(f"a value is missing: say {' '.join(f'{key}=...' for key in sorted(missing))}")
    check_all(OmegaConf.to_container(config))
    return config


def check_all(config: Any) -> None:
    """Check a composed configuration, as plain Python: every value by itself, and heads with the changes to them.

    Raises:
        ConfigurationError: a value that is not allowed, or a key that there is not.
    """
    check(config, StudyConfig, key="")
    multitask = config.get("multitask") or {}
    for name, model in multitask.get("models", {}).items():
        for column, changes in model.get("heads", {}).items():
            task = config.get("sources", {}).get(multitask["columns"].get(column), {})
            if task.get("head"):  # else the study says which of both is missing
                check_part(changed_head(task["head"], changes), key=f"multitask.models.{name}.heads.{column}")


def changed_head(head: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a task's head with changes; another class has of it what every head has."""
    return {**({key: head[key] for key in _OF_EVERY_HEAD} if "_target_" in changes else head), **changes}
