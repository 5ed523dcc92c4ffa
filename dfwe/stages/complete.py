"""Whether a composed configuration has all its values, each as it may be; light: asked before heavy imports."""

from __future__ import annotations

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dfwe.errors import ConfigurationError
from dfwe.hydra_errors import unresolved, words
from dfwe.schema import StudyConfig
from dfwe.values.check import check


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
    check(OmegaConf.to_container(config), StudyConfig, key="")
    return config
