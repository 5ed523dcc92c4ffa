"""What may be said of a model beside others, and which of them to ship."""

import pytest

from dfwe.results.recommendation import best_by_dev, claimed


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
    assert found == {"claim": "not_shown", "why": "the test split has one class"}


def test_nothing_is_claimed_of_what_was_compared_with_nothing():
    assert claimed([difference("uniform", 0.1, 0.2)])["claim"] is None


def test_a_model_that_plays_two_parts_is_named_once():
    both = [difference(role, 0.05, 0.1, name="meld") for role in ("equally_trained", "best_expert")]
    assert claimed([OVER_BASELINE, *both])["why"].count("meld") == 1


def test_the_best_by_dev_is_the_simplest_of_equal_ones():
    dev = {"merge": 0.75, "expert": 0.75 + 1e-15, "baseline": 0.5}
    assert best_by_dev(dev, simplest_first=("baseline", "expert", "merge")) == "expert"
    assert best_by_dev({**dev, "merge": 0.76}, simplest_first=("baseline", "expert", "merge")) == "merge"
    assert best_by_dev({**dev, "baseline": 0.75}, simplest_first=("baseline", "expert", "merge")) == "baseline"


def test_an_undefined_dev_score_is_never_the_best():
    assert best_by_dev({"a": None, "b": 0.0}, simplest_first=("a", "b")) == "b"
    assert best_by_dev({"a": None}, simplest_first=("a",)) is None
