"""Merges' configurations: of the options in conf/merge, and of all of them for a comparison."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omegaconf import OmegaConf

from dfwe.conf import conf_dir
from dfwe.config.instantiate import bind, call
from dfwe.config.load import option_file, plain
from dfwe.config.search_options import plain_search
from dfwe.errors import MergeError, SearchError
from dfwe.merging.base import Rule
from dfwe.search.space import Space

log = logging.getLogger(__name__)

_SHARED = "base"  # what every merge's configuration begins with
_MIXTURE = "linear"  # the rule that searches are compared on


def uniform() -> dict[str, Any]:
    """The uniform merge's: every study has it for comparison."""
    return _option("", "uniform")


def with_pick(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration with `merge.pick=argmax`, a name, replaced by what that option of the group holds."""
    if not isinstance(config["pick"], str):
        return config
    return config | {"pick": _option("pick", config["pick"])}


def zoo(config: Mapping[str, Any], *, num_experts: int) -> Iterator[dict[str, Any]]:
    """Every rule with one search, then the mixture with every search; `all`, or lists of options' names.

    What does not work with so many experts, or with so small a budget, is left out with a warning.
    """
    for made in _all(config):
        try:
            rule: Rule = bind(made["rule"])
            rule.check(num_experts)
            _check_search(made["search"], num_experts=num_experts)
        except (MergeError, SearchError) as error:
            log.warning("left out of the comparison: %s: %s", made["name"], error)
            continue
        yield made


def _all(config: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name in _names(config["rules"], group="merge"):
        yield option(name, search=config["search"], budget=config["budget"])
    for search in _names(config["searches"], group="merge/search"):
        if search != config["search"]:
            made = option(_MIXTURE, search=search, budget=config["budget"])
            yield made | {"name": f"{_MIXTURE}_{search}"}


def _check_search(config: Mapping[str, Any], *, num_experts: int) -> None:
    space = Space(tuple(str(number) for number in range(num_experts)))
    call(bind(plain_search(config), _partial_=True), space=space, seed=0, key="merge.search").close()


def option(name: str, *, search: str, budget: int) -> dict[str, Any]:
    """What `merge=name merge/search=search merge.search.budget=budget` composes."""
    shared, own = _option("", _SHARED), _option("", name)
    chosen = {key: taken for each in shared["defaults"] if isinstance(each, dict) for key, taken in each.items()}
    parts = {group: _option(group, search if group == "search" else taken) for group, taken in chosen.items()}
    made = plain(OmegaConf.merge(parts, shared, own, {"search": {"budget": budget}}))
    return {key: value for key, value in made.items() if key != "defaults"}


def _names(asked: str | Sequence[str], *, group: str) -> list[str]:
    """Rules or searches by name; `all` leaves out what is no rule, and names for the same rule and search."""
    if asked != "all":
        return [asked] if isinstance(asked, str) else list(asked)
    files = sorted((conf_dir() / group).glob("*.yaml"))
    leave = {_SHARED, "uniform", "nelder_mead"} if group == "merge" else set()
    return [file.stem for file in files if file.stem not in leave]


def _option(group: str, name: str) -> dict[str, Any]:
    return option_file(conf_dir() / "merge" / group, name, key=f"merge.{group}" if group else "merge")
