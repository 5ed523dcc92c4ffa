"""Choose the target of a study and its sources: all, or the k-th subset of a size, for sweeps."""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TypeVar

import numpy as np
from omegaconf import DictConfig

from dfwe.config.consistency import candidates, only_target
from dfwe.config.instantiate import class_of, plain
from dfwe.config.tasks import Task, build_task
from dfwe.errors import ConfigurationError
from dfwe.families.base import ModelFamily
from dfwe.seeding import derive

T = TypeVar("T")
log = logging.getLogger(__name__)


def subset_by_number(sources: Mapping[str, T], *, subset: Mapping[str, Any]) -> dict[str, T]:
    """Return the sources that `subset` numbers, names in order; the target is not among `sources` any more.

    Where `subset.number` is null all of them are returned, as they come. An interpolation of the target fails in a
    sweep over targets: subsets are chosen when the study is planned, so that a number suits every target.

    Raises:
        ConfigurationError: a size or number that there is not.
    """
    size, number, order = subset["size"], subset["number"], subset["order"]
    if number is None:
        return dict(sources)
    if not 1 <= size <= len(sources):
        raise ConfigurationError(f"subset.size must be 1 to {len(sources)}, the number of sources, not {size}")
    count = math.comb(len(sources), size)
    if number < 0 or (order == "names" and number >= count):
        raise ConfigurationError(
            f"subset.number must be 0 to {count - 1}, as {len(sources)} sources have {count} "
            f"subsets of {size}, not {number}"
        )
    place = number if order == "names" else _shuffled(number, count=count, size=size, seed=subset["seed"])
    names = next(itertools.islice(itertools.combinations(sorted(sources), size), place, None))
    return {name: sources[name] for name in names}


def _shuffled(number: int, *, count: int, size: int, seed: int) -> int:
    """Return the position of the number-th subset of a seeded order; after the last one it starts again."""
    order = np.random.default_rng(derive(seed, "subset", str(size))).permutation(count)
    return int(order[number % count])


def study_tasks(config: DictConfig) -> tuple[Task, tuple[Task, ...]]:
    """Return the target and the sources of a configuration; ConfigurationError where they do not fit together."""
    short, target = only_target(config)
    sources = candidates(short, config=config)
    if config.sources_without_target:  # a composition such as `all`
        sources = _answerable(sources, family=class_of(plain(config.model.family)))
    sources = subset_of(sources, subset=plain(config.subset), is_selected=bool(config.source_selection.by))
    tasks = tuple(build_task(name, config=plain(source)) for name, source in sources.items())
    return build_task(short, config=plain(target)), tasks


def _answerable(sources: Mapping[str, T], *, family: type[ModelFamily]) -> dict[str, T]:
    """Return the sources that models of the family can answer; the others are warned of."""
    if family.adapts_all:
        return dict(sources)
    answerable = {}
    for name, config in sources.items():
        with suppress(ConfigurationError):
            family.adapt(build_task(name, config=plain(config)))
            answerable[name] = config
    if left_out := [name for name in sources if name not in answerable]:
        log.warning(
            "left out of the sources, as models of the family %s cannot answer them: %s",
            family.name,
            ", ".join(left_out),
        )
    return answerable


def subset_of(sources: Mapping[str, T], *, subset: Mapping[str, Any], is_selected: bool) -> dict[str, T]:
    """Return the sources that `subset` numbers; ConfigurationError where they are to be selected, too."""
    if is_selected and subset["number"] is not None:
        raise ConfigurationError(
            f"subset.number={subset['number']} takes a subset of the sources and source_selection.by chooses among "
            "them: set one of the two (sources=all is sources=auto without a selection; source_selection.number is how "
            "many are selected)"
        )
    return subset_by_number(sources, subset=subset)
