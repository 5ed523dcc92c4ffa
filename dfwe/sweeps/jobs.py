"""The jobs of a multirun before they are composed: what each says, and what several say alike.

Hydra composes a configuration in some 100 ms. Jobs that differ in seed, subset of sources or target alone are found
from one composition: `Job.rest` is what has to be composed, the other fields are put into it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from dfwe.errors import ConfigurationError

_NUMBERS = ("seed", "subset.size", "subset.number")
_SWEEPER = f"{BasicSweeper.__module__}.{BasicSweeper.__qualname__}"


@dataclass(frozen=True)
class Job:
    """One job of a multirun: `rest` is composed, `target` (None: in `rest`) and `numbers` are changes to that."""

    number: int
    overrides: tuple[str, ...]
    rest: tuple[str, ...]
    target: str | None
    numbers: tuple[tuple[str, int], ...]

    @property
    def says_sources(self) -> bool:
        """Whether its sources are the same for every target."""
        return any(override.lstrip("+").startswith("sources=") for override in self.rest)


def jobs_of(config: DictConfig, *, tasks: Collection[str]) -> tuple[Job, ...]:
    """The jobs that Hydra's basic sweeper makes of a multirun's configuration, in its order.

    `tasks` are the names that targets may have; a job with another is composed, so that Hydra says what is wrong.

    Raises:
        ConfigurationError: another sweeper, which decides on its jobs while they run.
    """
    lists = override_lists(config)
    if lists is None:
        target = config.hydra.sweeper._target_
        raise ConfigurationError(f"{target} chooses its jobs while they run: they cannot be planned")
    return tuple(_job(number, overrides, tasks=tasks) for number, overrides in enumerate(lists))


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


def _job(number: int, overrides: Sequence[str], *, tasks: Collection[str]) -> Job:
    pairs = [tuple(override.split("=", 1)) for override in overrides]
    of_tasks = any(key.lstrip("+~").startswith(("target.", "sources.")) for key, *_ in pairs)
    target, numbers, rest = None, [], []
    for override, (key, *value) in zip(overrides, pairs, strict=True):
        text = value[0] if value else ""
        if key in _NUMBERS and text.isdecimal():
            numbers.append((key, int(text)))
        elif key == "+target" and text in tasks and not of_tasks:
            target = text
        else:
            rest.append(override)
    return Job(number, tuple(overrides), tuple(rest), target, tuple(numbers))
