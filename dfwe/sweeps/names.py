"""What the jobs of a sweep differ in, for the names of their folders."""

from __future__ import annotations

from omegaconf import DictConfig

from dfwe.config.run_name import name_of
from dfwe.sweeps.jobs import override_lists, parsed_overrides


def constant_keys(config: DictConfig) -> list[str]:
    """Return the keys that are the same in every job of a multirun; of two values for one key the last counts."""
    swept = {each.get_key_element().lstrip("+~"): each.is_sweep_override() for each in parsed_overrides(config)}
    return sorted(key for key, is_swept in swept.items() if not is_swept)


def has_twins(config: DictConfig) -> bool:
    """Return whether two jobs of a multirun have one name: the same values twice."""
    constant = set(constant_keys(config))
    names = [name_of(overrides, constant=constant) for overrides in override_lists(config) or ()]
    return len(set(names)) < len(names)
