"""One order from several criteria."""

import pytest

from dfwe.errors import ConfigurationError
from dfwe.studies.source_selection.ranking import best, ranking, relative_ranks

NAMES = ("d", "a", "c", "b")


def order(scores, candidates=NAMES):
    return [(each.task, each.rank) for each in ranking(scores, candidates=candidates)]


def test_the_highest_score_has_the_lowest_rank_and_equals_share_theirs():
    assert relative_ranks({"a": 0.3, "b": -0.1, "c": 0.3, "d": 0.2}) == {"a": 0.25, "b": 0.875, "c": 0.25, "d": 0.625}
    assert relative_ranks({"a": 7.0}) == {"a": 0.5}


def test_one_criterion_gives_its_own_order():
    found = order({"x": {"a": 0.1, "b": 0.4, "c": -0.2, "d": 0.3}})
    assert found == [("b", 0.125), ("d", 0.375), ("a", 0.625), ("c", 0.875)]


def test_several_criteria_give_the_mean_of_the_ranks_that_they_know():
    scores = {"x": {"a": 4.0, "b": 3.0, "c": 2.0, "d": 1.0}, "y": {"a": 0.0, "d": 0.5}}
    found = dict(order(scores))
    assert found == {"a": (0.125 + 0.75) / 2, "b": 0.375, "c": 0.625, "d": (0.875 + 0.25) / 2}
    assert [name for name, _ in order(scores)] == ["b", "a", "d", "c"]
    assert ranking(scores, candidates=NAMES)[1].scores == {"x": 4.0, "y": 0.0}


def test_equals_come_in_the_order_of_their_names():
    assert [name for name, _ in order({"x": dict.fromkeys(NAMES, 1.0)})] == ["a", "b", "c", "d"]


def test_what_no_criterion_knows_has_no_place():
    assert [name for name, _ in order({"x": {"a": 1.0, "c": 2.0}})] == ["c", "a"]


def test_the_best_are_taken_in_the_order_of_their_names():
    ranked = ranking({"x": {"a": 1.0, "b": 4.0, "c": 3.0, "d": 2.0}}, candidates=NAMES)
    assert best(ranked, number=3, candidates=NAMES) == ("b", "c", "d")
    assert best(ranked, number=1, candidates=NAMES) == ("b",)


def test_fewer_known_than_are_to_be_taken_is_an_error_that_names_the_others():
    ranked = ranking({"x": {"a": 1.0, "c": 2.0}}, candidates=NAMES)
    with pytest.raises(
        ConfigurationError, match=r"source_selection.number is 3, but no criterion knows anything of b, d: add"
    ):
        best(ranked, number=3, candidates=NAMES)
