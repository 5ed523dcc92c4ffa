"""Jobs of a multirun before they are composed, and what they are called.

Hydra composes a configuration in some 100 ms. Jobs that differ in seed or subset of sources alone share one
composition: `Job.composed` is what has to be composed, `Job.numbers` are put into it. Where all tasks are sources, as
in `+sweep=[source_triples,all_targets]`, the target may be one of them: then it is put into it, too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from dfwe.config.run_name import name_of
from dfwe.errors import ConfigurationError

_NUMBERS = ("seed", "subset.size", "subset.number")
_TARGET = re.compile(r"\+?target=(\w+)")
_CHANGES_TASKS = re.compile(r"\b(target\b|sources\.|experiment\b)")
_SWEEPER = f"{BasicSweeper.__module__}.{BasicSweeper.__qualname__}"


@dataclass(frozen=True)
class Job:
    """One job of a multirun."""

    number: int
    composed: tuple[str, ...]  # overrides
    numbers: tuple[tuple[str, int], ...]  # changes to the composition, by key
    target: str | None = None  # the override of the target, where the composition may do without

    @property
    def overrides(self) -> tuple[str, ...]:
        """All overrides."""
        target = () if self.target is None else (self.target,)
        return *self.composed, *target, *(f"{key}={value}" for key, value in self.numbers)


def jobs_of(config: DictConfig) -> tuple[Job, ...]:
    """Return the jobs that Hydra's basic sweeper makes of a multirun's configuration, in its order.

    Raises:
        ConfigurationError: another sweeper, which decides on its jobs while they run.
    """
    lists = override_lists(config)
    if lists is None:
        target = config.hydra.sweeper._target_
        raise ConfigurationError(f"{target} chooses its jobs while they run: they cannot be planned")
    return tuple(_job(number, overrides) for number, overrides in enumerate(lists))


def override_lists(config: DictConfig) -> list[list[str]] | None:
    """Return each job's overrides; None for a sweeper that decides on its jobs while they run."""
    if config.hydra.sweeper._target_ != _SWEEPER:
        return None
    (lists,) = BasicSweeper.split_arguments(parsed_overrides(config), None)
    return list(lists)


def parsed_overrides(config: DictConfig) -> list[Override]:
    """Return a multirun's overrides: those of its sweeper's configuration, then the command's."""
    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.get("params") or {}).items()]
    arguments = OmegaConf.to_container(config.hydra.overrides.task, resolve=False)
    assert isinstance(arguments, list)
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    return parser.parse_overrides([*params, *map(str, arguments)])


def constant_keys(config: DictConfig) -> list[str]:
    """Return the keys that are the same in every job of a multirun; of two values for one key the last counts."""
    swept = {
        override.get_key_element().lstrip("+~"): override.is_sweep_override() for override in parsed_overrides(config)
    }
    return sorted(key for key, is_swept in swept.items() if not is_swept)


def has_twins(config: DictConfig) -> bool:
    """Return whether two jobs of a multirun have one name: the same values twice."""
    constant = set(constant_keys(config))
    names = [name_of(overrides, constant=constant) for overrides in override_lists(config) or ()]
    return len(set(names)) < len(names)


def _job(number: int, overrides: Sequence[str]) -> Job:
    composed, numbers = [], []
    for override in overrides:
        key, _, text = override.partition("=")
        if key in _NUMBERS and text.isdecimal():
            numbers.append((key, int(text)))
        else:
            composed.append(override)
    target = next(filter(_TARGET.fullmatch, composed), None)
    rest = [override for override in composed if override != target]
    if "sources=all" in rest and not any(map(_CHANGES_TASKS.search, rest)):
        return Job(number, tuple(rest), tuple(numbers), target)
    return Job(number, tuple(composed), tuple(numbers))
