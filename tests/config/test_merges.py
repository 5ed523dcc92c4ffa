"""Merges' configurations, and all of them at once."""

import logging

import pytest
from hydra.utils import get_class

from dfwe.conf import conf_dir
from dfwe.config.merges import option, resolve_names, zoo
from dfwe.errors import ConfigurationError

ALL = {"methods": "all", "search": "nelder_mead", "searches": "all", "budget": 5}


def test_option_has_the_search_and_budget():
    made = option("ties", search="cma", budget=7)
    assert made["name"] == "ties"
    assert made["search"]["optimizer"] == "CMA"
    assert (made["search"]["budget"], made["coefficients"], made["tuned_parameters"]) == (7, "simplex", {})
    assert get_class(made["by"]["_target_"]).__name__ == "ByModel"


def test_zoo_names_every_method_and_search_once():
    made = list(zoo(ALL, num_experts=2))
    names = [each["name"] for each in made]
    others = {"base", "uniform", "nelder_mead", "ensemble_search", "distilled"}
    methods = {path.stem for path in (conf_dir() / "merge").glob("*.yaml")} - others
    searches = {path.stem for path in (conf_dir() / "merge" / "search").glob("*.yaml")} - {"nelder_mead"}
    assert len(names) == len(set(names))
    assert set(names) == methods | {f"linear_{search}" for search in searches}


def test_zoo_leaves_out_methods_of_fewer_experts(caplog):
    with caplog.at_level(logging.WARNING):
        made = list(zoo(ALL | {"methods": ["linear", "slerp"], "searches": []}, num_experts=5))
    assert [each["name"] for each in made] == ["linear"]
    assert "left out of the comparison: slerp: slerp merges 2 models, not 5" in caplog.text


def test_zoo_leaves_out_searches_above_the_budget(caplog):
    with caplog.at_level(logging.WARNING):
        made = list(zoo(ALL | {"methods": [], "searches": ["grid", "random"], "budget": 4}, num_experts=5))
    assert [each["name"] for each in made] == ["linear_random"]
    assert "linear_grid: a grid of 1 step over 5 values takes 6 evaluations" in caplog.text


def test_unknown_options_list_the_options():
    with pytest.raises(ConfigurationError, match="unknown merge 'tise': choose among .*ties"):
        list(zoo(ALL | {"methods": ["tise"]}, num_experts=2))
    with pytest.raises(ConfigurationError, match=r"unknown merge.search 'cmaa'.*cma"):
        list(zoo(ALL | {"searches": ["cmaa"], "methods": []}, num_experts=2))
    with pytest.raises(ConfigurationError, match=r"unknown merge.selection 'best'.*argmax"):
        resolve_names({"selection": "best"})
