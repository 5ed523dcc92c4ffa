"""What may be said of a model beside others, and which of them to ship."""

import pytest

from dfwe.results.claims import claimed, conclusion
from dfwe.results.comparison import TargetComparison
from dfwe.results.recommendation import best_by_dev


def difference(role, low, high, *, p=0.01, name=None):
    return {"role": role, "name": name or role, "delta": (low + high) / 2, "delta_interval": [low, high], "p": p}


OVER_BASELINE = difference("baseline", 0.05, 0.1)


def test_better_is_only_said_where_every_interval_is_above_0():
    sure = difference("best_expert", 0.01, 0.1, name="meld")
    assert claimed([OVER_BASELINE, sure])["claim"] == "better"
    found = claimed([OVER_BASELINE, difference("best_expert", -0.01, 0.1, name="meld")])
    assert found["claim"] == "not_shown"
    assert "no gain over meld (+4.5, -1.0 to +10.0)" in found["why"]


@pytest.mark.parametrize("role", ["baseline", "equally_trained", "best_expert"])
def test_each_of_the_three_can_take_the_claim_away(role):
    others = [difference(each, 0.05, 0.1) for each in ("baseline", "equally_trained", "best_expert") if each != role]
    assert claimed([*others, difference(role, -0.01, 0.1)])["claim"] == "not_shown"
    assert claimed([*others, difference(role, -0.1, -0.05)])["claim"] == "worse"


def test_the_uniform_mixture_decides_nothing():
    assert claimed([OVER_BASELINE, difference("uniform", -0.2, -0.1)])["claim"] == "better"


def test_an_interval_that_few_instances_make_narrow_is_not_enough():
    assert claimed([difference("baseline", 1.0, 1.0, p=0.25)])["claim"] == "not_shown"


def test_a_reason_to_doubt_withholds_the_claim_and_is_said():
    found = claimed([OVER_BASELINE], withheld=["the test split has one class"])
    assert found == {"claim": "not_shown", "why": "the test split has one class", "as_well": None}


def test_nothing_is_claimed_of_what_was_compared_with_nothing():
    assert claimed([difference("uniform", 0.1, 0.2)])["claim"] is None


def test_a_model_that_plays_two_parts_is_named_once():
    both = [difference(role, 0.05, 0.1, name="meld") for role in ("equally_trained", "best_expert")]
    assert claimed([OVER_BASELINE, *both])["why"].count("meld") == 1


def rival(name, low, high, *, kind="baseline", times=0.5, p=0.01):
    same = difference("", low, high, p=p)
    return {**same, "name": name, "title": f"the {name}", "kind": kind, "times_cost": times}


SOUP, POINT = rival("soup", -0.01, 0.03, p=0.3), rival("point", 0.01, 0.02, times=0.2)


def test_a_row_of_no_more_cost_takes_the_claim_away():
    assert claimed([OVER_BASELINE], not_dearer=[POINT])["claim"] == "better"
    result = claimed([OVER_BASELINE], not_dearer=[POINT, SOUP])
    assert result["claim"] == "not_shown"
    assert result["why"] == "the test split shows no gain over the soup (+1.0, -1.0 to +3.0)"
    assert result["as_well"] == SOUP


def test_of_those_that_do_as_well_the_cheapest_is_named():
    others = [rival(name, -0.1, 0.1, times=times, p=0.5) for name, times in (("a", 0.1), ("b", 0.2), ("c", 0.9))]
    result = claimed([OVER_BASELINE], not_dearer=[POINT, *others])
    assert result["as_well"]["name"] == "a"
    assert result["why"].endswith("the b (+0.0, -10.0 to +10.0) and 1 more of equal or lower cost")


@pytest.mark.parametrize(("name", "claim"), [("greedy_soup", "better"), ("uniform", "not_shown")])
def test_a_searched_merge_takes_no_claim_away_but_is_named(name, claim):
    other = rival(name, -0.01, 0.03, kind="merge", p=0.3)
    result = claimed([OVER_BASELINE], not_dearer=[other])
    assert (result["claim"], result["as_well"]) == (claim, other)


def test_a_better_row_of_lower_cost_makes_no_model_worse():
    result = claimed([OVER_BASELINE], not_dearer=[rival("soup", -0.1, -0.05)])
    assert (result["claim"], result["as_well"]["name"]) == ("not_shown", "soup")


def test_a_row_that_has_a_role_is_counted_once():
    result = claimed([OVER_BASELINE], not_dearer=[rival("baseline", 0.05, 0.1)])
    assert result["why"] == "it scores more than baseline (+7.5, +5.0 to +10.0)"


def costing(name, training, *, models=1, kind="baseline", **more):
    return {"name": name, "kind": kind, "cost": {"training": training, "models": models}, **more}


class Differences(TargetComparison):
    """Differences that are given, by the other's name."""

    roles = {"baseline": "baseline"}  # noqa: RUF012

    def __init__(self, **differences):
        self._differences = differences

    def difference(self, name, other):
        return self._differences.get(other, {})


def test_rivals_are_chosen_by_cost_and_their_texts_are_told():
    rows = [
        costing("baseline", 10),
        costing("merge", 40, kind="merge"),
        costing("self_training", 20, unlabelled=1200),
        costing("ensemble", 30, models=4),
        costing("same_compute", 41),
        costing("sst", 5, kind="single"),
        costing("undefined", 5),
    ]
    sure = {key: value for key, value in OVER_BASELINE.items() if key not in ("role", "name")}
    measured = Differences(**{row["name"]: sure for row in rows if row["name"] != "undefined"})
    result = conclusion("merge", rows=rows, comparison=measured, withheld=())
    assert [other["name"] for other in result["not_dearer"]] == ["baseline", "self_training"]
    assert [other["times_cost"] for other in result["not_dearer"]] == [0.25, 0.5]
    assert "self-trained baseline (+1,200 unlabelled)" in result["why"]


def test_a_model_of_unknown_cost_is_compared_by_role_alone():
    sure = {key: value for key, value in OVER_BASELINE.items() if key not in ("role", "name")}
    rows = [costing("baseline", 10), costing("merge", None, kind="merge")]
    result = conclusion("merge", rows=rows, comparison=Differences(baseline=sure), withheld=())
    assert (result["not_dearer"], result["claim"]) == (None, "better")


def test_the_best_by_dev_is_the_simplest_of_equal_ones():
    dev = {"merge": 0.75, "expert": 0.75 + 1e-15, "baseline": 0.5}
    assert best_by_dev(dev, simplest_first=("baseline", "expert", "merge")) == "expert"
    assert best_by_dev({**dev, "merge": 0.76}, simplest_first=("baseline", "expert", "merge")) == "merge"
    assert best_by_dev({**dev, "baseline": 0.75}, simplest_first=("baseline", "expert", "merge")) == "baseline"


def test_an_undefined_dev_score_is_never_the_best():
    assert best_by_dev({"a": None, "b": 0.0}, simplest_first=("a", "b")) == "b"
    assert best_by_dev({"a": None}, simplest_first=("a",)) is None
