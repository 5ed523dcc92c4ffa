"""Merges' configurations, and all of them at once."""

import logging

import pytest
from hydra.utils import get_class

from dfwe.conf import conf_dir
from dfwe.config.merges import option, resolve_names, zoo
from dfwe.errors import ConfigurationError

ALL = {"rules": "all", "search": "nelder_mead", "searches": "all", "budget": 5}


def test_a_rule_comes_with_the_search_and_the_budget_that_were_asked_for():
    made = option("ties", search="cma", budget=7)
    assert made["name"] == "ties"
    assert made["search"]["optimizer"] == "CMA"
    assert (made["search"]["budget"], made["coefficients"], made["searched"]) == (7, "simplex", {})
    assert get_class(made["by"]["_target_"]).__name__ == "ByModel"


def test_the_zoo_has_every_rule_and_every_search_under_a_name_of_its_own():
    made = list(zoo(ALL, num_experts=2))
    names = [each["name"] for each in made]
    rules = {path.stem for path in (conf_dir() / "merge").glob("*.yaml")} - {"base", "uniform", "nelder_mead"}
    searches = {path.stem for path in (conf_dir() / "merge" / "search").glob("*.yaml")} - {"nelder_mead"}
    assert len(names) == len(set(names))
    assert set(names) == rules | {f"linear_{search}" for search in searches}


def test_a_rule_that_does_not_merge_so_many_is_left_out_and_said(caplog):
    with caplog.at_level(logging.WARNING):
        made = list(zoo(ALL | {"rules": ["linear", "slerp"], "searches": []}, num_experts=5))
    assert [each["name"] for each in made] == ["linear"]
    assert "left out of the comparison: slerp: slerp merges two models, not 5" in caplog.text


def test_a_search_that_needs_a_larger_budget_is_left_out_and_said(caplog):
    with caplog.at_level(logging.WARNING):
        made = list(zoo(ALL | {"rules": [], "searches": ["grid", "random"], "budget": 4}, num_experts=5))
    assert [each["name"] for each in made] == ["linear_random"]
    assert "linear_grid: a grid of 1 step over 5 values takes 6 evaluations" in caplog.text


def test_an_unknown_option_is_an_error_with_the_choice():
    with pytest.raises(ConfigurationError, match="unknown merge 'tise': choose among .*ties"):
        list(zoo(ALL | {"rules": ["tise"]}, num_experts=2))
    with pytest.raises(ConfigurationError, match=r"unknown merge.search 'cmaa'.*cma"):
        list(zoo(ALL | {"searches": ["cmaa"], "rules": []}, num_experts=2))
    with pytest.raises(ConfigurationError, match=r"unknown merge.selection 'best'.*argmax"):
        resolve_names({"selection": "best"})
