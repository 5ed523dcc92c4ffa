"""Configurations of merges: of one option in conf/merge, and of all of them for a comparison."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from omegaconf import OmegaConf

from dfwe.conf import conf_dir, option_names
from dfwe.config.instantiate import bind, call, option_file, plain
from dfwe.errors import ConfigurationError, MergeError, SearchError
from dfwe.merging.base import MergeMethod, method_name
from dfwe.search.space import Range, Setting, Space

log = logging.getLogger(__name__)

_SHARED = "base"  # the options that every merge has
_MIXTURE = "linear"  # the method that searches are compared on
_NELDER_MEAD = ("nelder_mead", "ensemble_search", "distilled")  # the mixture with its search, and rows beside it
_NAMED_PARTS = ("selection", "holdout", "surrogate")


def uniform() -> dict[str, Any]:
    """Return the configuration of the uniform merge, which every study has for comparison."""
    return _option("", "uniform")


def resolve_names(config: dict[str, Any]) -> dict[str, Any]:
    """Replace a name, such as that of `merge.selection=argmax`, by what that option of the group holds."""
    named = {part: config[part] for part in _NAMED_PARTS if isinstance(config.get(part), str)}
    return config | {part: _option(part, name) for part, name in named.items()}


def zoo(config: Mapping[str, Any], *, num_experts: int) -> Iterator[dict[str, Any]]:
    """Yield every method with one search, then the mixture with every search; `all`, or lists of options' names.

    What does not work with so many experts, or with so small a budget, is left out with a warning.
    """
    for merge in _all(config):
        try:
            method: MergeMethod = bind(merge["method"])
            method.check(num_experts)
            _check_search(merge["search"], num_experts=num_experts)
        except (MergeError, SearchError) as error:
            log.warning("left out of the comparison: %s: %s", merge["name"], error)
            continue
        yield merge


def option(name: str, *, search: str, budget: int) -> dict[str, Any]:
    """Compose `merge=name merge/search=search merge.search.budget=budget`."""
    shared, options = _option("", _SHARED), _option("", name)
    groups = {key: value for entry in shared["defaults"] if isinstance(entry, dict) for key, value in entry.items()}
    groups = {group: value for group, value in (groups | {"search": search}).items() if value is not None}
    parts = {group: _option(group, value) for group, value in groups.items()}
    merge = plain(OmegaConf.merge(parts, shared, options, {"search": {"budget": budget}}))
    return {key: value for key, value in merge.items() if key != "defaults"}


def _all(config: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name in _names(config["methods"], group="merge"):
        yield option(name, search=config["search"], budget=config["budget"])
    for search in _names(config["searches"], group="merge/search"):
        if search != config["search"]:
            merge = option(_MIXTURE, search=search, budget=config["budget"])
            yield merge | {"name": f"{_MIXTURE}_{search}"}


def _check_search(config: Mapping[str, Any], *, num_experts: int) -> None:
    space = Space(tuple(str(number) for number in range(num_experts)))
    call(bind(config, _partial_=True), space=space, seed=0, key="merge.search").close()


def _names(names: str | Sequence[str], *, group: str) -> list[str]:
    """Return options by name; `all` leaves out what is not a method, and second names of a method and search."""
    if names != "all":
        return [names] if isinstance(names, str) else list(names)
    excluded = {_SHARED, "uniform", *_NELDER_MEAD} if group == "merge" else set()
    return [name for name in option_names(group) if name not in excluded]


def _option(group: str, name: str) -> dict[str, Any]:
    return option_file(conf_dir() / "merge" / group, name, key=f"merge.{group}" if group else "merge")


def search_space(
    config: Mapping[str, Any], *, method: MergeMethod, experts: tuple[str, ...], groups: tuple[str, ...]
) -> Space:
    """Return the space of coefficients, simplex or range (`merge.coefficients`), and of the tuned parameters.

    Raises:
        SearchError: a range is empty, or its start lies outside.
        ConfigurationError: a tuned parameter is not a number of the method.
    """
    box, tuned = config["coefficients"], config["tuned_parameters"]
    parameters = {field.name: getattr(method, field.name) for field in fields(method)}  # type: ignore[arg-type]
    numbers = {name: float(value) for name, value in parameters.items() if type(value) in (int, float)}
    for name in tuned:
        if name not in numbers:
            raise ConfigurationError(
                f"merge.tuned_parameters: {method_name(method)} has no number named '{name}': "
                f"it has {', '.join(numbers) or 'none'}"
            )
    return Space(
        experts,
        groups,
        None if box == "simplex" else _range(box),
        tuple(Setting(name, _range(box), numbers[name]) for name, box in tuned.items()),
        vertices=method.properties.recovers_experts,
    )


def _range(box: Mapping[str, Any]) -> Range:
    return Range(float(box["low"]), float(box["high"]))
