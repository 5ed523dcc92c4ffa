from collections import Counter

import pytest

from dfwe.data.friends.dialogue import Names, names_of
from dfwe.data.friends.scene import ALL, Scene

NAMES = Names({"@ent00": "Vera Quill", "@ent01": "The Waiter", "@ent02": ALL, "@ent03": "Ross Geller"})


def elected(**votes):
    scene = Scene("s")
    scene.names["@ent00"] = Counter(votes)
    return names_of(scene).full["@ent00"]


def test_the_name_with_the_most_votes_wins():
    assert elected(Ada=2, Ben=3) == "Ben"


def test_names_that_begin_alike_vote_together():
    scene = Scene("s")
    scene.names["@ent00"] = Counter({"Vera Quill": 2, "Vera": 1, "Otto": 2})
    assert names_of(scene).full == {"@ent00": "Vera Quill"}


def test_a_main_character_gets_the_full_name():
    assert elected(Monica=5) == "Monica Geller"


def test_a_tie_goes_to_the_same_name_in_any_order():
    assert elected(Ada=1, Ben=1) == elected(Ben=1, Ada=1) == "Ben"


def test_speakers_get_full_names():
    assert [NAMES.speaker(name) for name in ("@ent00", "Ross", "Vera", "@ent09")] == [
        "Vera Quill",
        "Ross Geller",
        "Vera",
        "@ent09",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@ent00, meet @ent03!", "Vera, meet Ross!"),
        ("Ask @ent01.", "Ask The Waiter."),
        ("@ent000 and @ent09", "@ent000 and @ent09"),
        ("no code", "no code"),
    ],
)
def test_texts_get_first_names(text, expected):
    assert NAMES.text(text) == expected


def test_entities_are_lowercase_first_names():
    assert NAMES.entities(["@ent03", "@ent00", "@ent01", "@ent02", "@ent09"]) == [
        "@ent09",
        "ross",
        "the waiter",
        "vera",
    ]


def test_two_codes_of_one_name_are_one_entity():
    assert Names({"@ent00": "Vera Quill", "@ent01": "Vera"}).entities(["@ent00", "@ent01"]) == ["vera"]


def test_a_query_is_written_as_people_write():
    assert NAMES.query("@placeholder does n't know @ent00 .") == "[PLACEHOLDER] doesn't know Vera."
