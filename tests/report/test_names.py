"""What models are called."""

import pytest

from dfwe.report.names import display_name, expert_name, in_words, name_of


def test_the_three_mixtures_cannot_be_confused():
    keys = (("mixture", "expert"), ("uniform", "merge"), ("random", "baseline"))
    names = {display_name(name, kind=kind) for name, kind in keys}
    assert names == {"expert on all tasks", "uniform merge", "random merge"}


@pytest.mark.parametrize("kind", ["expert", "merge"])
def test_a_users_own_name_stays_whatever_another_kind_calls_so(kind):
    assert display_name("random", kind=kind) == "random"
    assert display_name("<i>", kind=kind) == "<i>"


def test_an_expert_of_a_group_of_tensors_keeps_the_group():
    assert expert_name("mixture") == "expert on all tasks"
    assert expert_name("enc.0/mixture") == "enc.0/expert on all tasks"
    assert expert_name("method.scale") == "method.scale"


def test_a_title_goes_before_a_name():
    rows = [{"name": "soup", "title": "Soup 1", "kind": "merge"}, {"name": "uniform", "kind": "merge"}]
    assert name_of(rows[0]) == "Soup 1"
    assert name_of(rows[1]) == "uniform merge"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"lowest_share": 0.25, "nan": True}, "lowest share: 0.25, nan: yes"),
        ({"meld": 0.1, "deep": {"a": [1, 2]}}, "meld: 0.1, deep: (a: (1, 2))"),
        ([1, "b"], "1, b"),
        ({}, "none"),
        (None, "none"),
        (1 / 3, "0.333333"),
        ("as it is", "as it is"),
    ],
)
def test_in_words_has_no_braces_or_quotes(value, words):
    assert in_words(value) == words
