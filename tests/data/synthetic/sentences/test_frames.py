from dataclasses import replace

import numpy as np
import pytest

from dfwe.data.synthetic.sentences.frames import (
    add_opinion,
    draw_frame,
    draw_slots,
    draw_words,
    question,
    replace_slots,
    statement,
)
from dfwe.data.synthetic.sentences.lexicon import SLOTS

WORDS = {"agent": "smith", "action": "mend", "thing": "desk", "place": "forge"}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def straight(toy):
    return replace(toy.style, place_first=0.0, with_opinion=0.0)


@pytest.fixture
def turned(toy):
    return replace(toy.style, place_first=1.0, with_opinion=1.0)


def test_statement_order_depends_on_style(straight, turned, rng):
    assert statement(WORDS, style=straight, rng=rng) == "The smith mends the desk at the forge."
    assert statement(WORDS, style=turned, rng=rng) == "At the forge the smith mends the desk."


def test_statement_without_place_with_addition(straight, rng):
    words = {"agent": "somebody", "action": "mend", "thing": "some furniture"}
    assert statement(words, style=straight, rng=rng, addition="in secret") == "Somebody mends some furniture in secret."


def test_statement_negated_has_not_or_never(straight, rng):
    told = {statement(WORDS, style=straight, rng=rng, negated=True) for _ in range(30)}
    assert told == {"The smith does not mend the desk at the forge.", "The smith never mends the desk at the forge."}


def test_question_order_depends_on_style(straight, turned, rng):
    assert question(WORDS, style=straight, rng=rng) == "Does the smith mend the desk at the forge?"
    assert question(WORDS, style=turned, rng=rng) == "Is it at the forge that the smith mends the desk?"


def test_replace_slots_changes_only_these_slots(toy, rng):
    for _ in range(50):
        frame, slots = draw_frame(toy.style, rng=rng), draw_slots(2, rng=rng)
        changed = replace_slots(frame, slots=slots, same_topic=0.5, rng=rng)
        assert {slot for slot in SLOTS if changed[slot] != frame[slot]} == set(slots)


def test_replace_slots_keeps_or_leaves_the_topic(toy, rng):
    frame = draw_frame(toy.style, rng=rng)
    for share, stays in ((1.0, True), (0.0, False)):
        changed = replace_slots(frame, slots=SLOTS, same_topic=share, rng=rng)
        assert all((changed[slot].topic == frame[slot].topic) == stays for slot in SLOTS)


def test_frame_agents_and_places_may_be_off_topic(toy, rng):
    frames = [draw_frame(toy.style, rng=rng) for _ in range(400)]
    assert all(frame["action"].topic == frame["thing"].topic for frame in frames)
    for slot in ("agent", "place"):
        strays = np.mean([frame[slot].topic != frame["action"].topic for frame in frames])
        assert strays == pytest.approx(toy.style.off_topic, abs=0.08)


def test_add_opinion_changes_the_thing_only(straight, turned, rng):
    assert add_opinion(WORDS, style=straight, rng=rng) == WORDS
    told = add_opinion(WORDS, style=turned, rng=rng)
    the, opinion, thing = told.pop("thing").split()
    assert (the, thing, told) == ("the", "desk", {slot: WORDS[slot] for slot in ("agent", "action", "place")})
    assert opinion


def test_draw_words_uses_each_word_of_a_concept(toy, rng):
    frame = draw_frame(toy.style, rng=rng)
    assert {draw_words(frame, rng=rng)["agent"] for _ in range(30)} == set(frame["agent"].words)
