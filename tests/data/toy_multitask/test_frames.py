from dataclasses import replace

import numpy as np
import pytest

from dfwe.data.toy_multitask.frames import (
    change,
    decorated,
    draw_frame,
    question,
    some_slots,
    statement,
    words_of,
)
from dfwe.data.toy_multitask.world import SLOTS

WORDS = {"who": "smith", "deed": "mend", "thing": "desk", "place": "forge"}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def straight(toy):
    return replace(toy.manner, inverted=0.0, decorated=0.0)


@pytest.fixture
def turned(toy):
    return replace(toy.manner, inverted=1.0, decorated=1.0)


def test_a_statement_tells_who_does_what_and_where(straight, turned, rng):
    assert statement(WORDS, manner=straight, rng=rng) == "The smith mends the desk at the forge."
    assert statement(WORDS, manner=turned, rng=rng) == "At the forge the smith mends the desk."


def test_a_statement_may_leave_out_the_place_and_add_something(straight, rng):
    words = {"who": "somebody", "deed": "mend", "thing": "some furniture"}
    assert (
        statement(words, manner=straight, rng=rng, addition="in secret") == "Somebody mends some furniture in secret."
    )


def test_a_denial_says_not_or_never(straight, rng):
    told = {statement(WORDS, manner=straight, rng=rng, negated=True) for _ in range(30)}
    assert told == {"The smith does not mend the desk at the forge.", "The smith never mends the desk at the forge."}


def test_a_question_asks_the_same(straight, turned, rng):
    assert question(WORDS, manner=straight, rng=rng) == "Does the smith mend the desk at the forge?"
    assert question(WORDS, manner=turned, rng=rng) == "Is it at the forge that the smith mends the desk?"


def test_a_changed_slot_holds_another_concept_and_the_others_stay(toy, rng):
    for _ in range(50):
        frame, slots = draw_frame(toy.manner, rng=rng), some_slots(2, rng=rng)
        changed = change(frame, slots=slots, same_topic=0.5, rng=rng)
        assert {slot for slot in SLOTS if changed[slot] != frame[slot]} == set(slots)


def test_a_change_stays_in_its_topic_or_leaves_it(toy, rng):
    frame = draw_frame(toy.manner, rng=rng)
    for share, stays in ((1.0, True), (0.0, False)):
        changed = change(frame, slots=SLOTS, same_topic=share, rng=rng)
        assert all((changed[slot].topic == frame[slot].topic) == stays for slot in SLOTS)


def test_a_deed_and_its_thing_are_of_one_topic_and_some_people_and_places_are_not(toy, rng):
    frames = [draw_frame(toy.manner, rng=rng) for _ in range(400)]
    assert all(frame["deed"].topic == frame["thing"].topic for frame in frames)
    for slot in ("who", "place"):
        strays = np.mean([frame[slot].topic != frame["deed"].topic for frame in frames])
        assert strays == pytest.approx(toy.manner.astray, abs=0.08)


def test_an_opinion_stands_before_the_thing_and_changes_no_other_word(straight, turned, rng):
    assert decorated(WORDS, manner=straight, rng=rng) == WORDS
    told = decorated(WORDS, manner=turned, rng=rng)
    the, opinion, thing = told.pop("thing").split()
    assert (the, thing, told) == ("the", "desk", {slot: WORDS[slot] for slot in ("who", "deed", "place")})
    assert opinion


def test_each_word_of_a_concept_is_used(toy, rng):
    frame = draw_frame(toy.manner, rng=rng)
    assert {words_of(frame, rng=rng)["who"] for _ in range(30)} == set(frame["who"].words)
