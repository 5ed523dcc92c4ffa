"""Whether a composed configuration has all its values; light, as the command asks before heavy imports."""

from __future__ import annotations

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dfwe.errors import ConfigurationError
from dfwe.hydra_errors import unresolved, words


def complete(config: DictConfig) -> DictConfig:
    """The configuration, its interpolations resolved in place.

    Raises:
        ConfigurationError: an interpolation that leads nowhere, or a value that is missing.
    """
    try:
        OmegaConf.resolve(config)
        missing = OmegaConf.missing_keys(config)
    except OmegaConfBaseException as error:
        raise ConfigurationError(unresolved(config) or words(error)) from error
    if missing:
        raise ConfigurationError(f"a value is missing: say {' '.join(f'{key}=...' for key in sorted(missing))}")
    return config
