from dataclasses import replace

import numpy as np
import pytest

from dfwe.data.synthetic.drawing import Draws
from dfwe.data.synthetic.sentences.frames import RowSampler
from dfwe.data.synthetic.sentences.lexicon import SLOTS

WORDS = {"agent": "smith", "action": "mend", "thing": "desk", "place": "forge"}


@pytest.fixture
def plain(toy):
    """Draws by the configured style."""
    return RowSampler(toy.style, toy.noise, Draws(np.random.default_rng(0)))


@pytest.fixture
def straight(plain):
    return replace(plain, style=replace(plain.style, place_first=0.0, with_opinion=0.0))


@pytest.fixture
def turned(plain):
    return replace(plain, style=replace(plain.style, place_first=1.0, with_opinion=1.0))


def test_statement_order_depends_on_style(straight, turned):
    assert straight.statement(WORDS) == "The smith mends the desk at the forge."
    assert turned.statement(WORDS) == "At the forge the smith mends the desk."


def test_statement_without_place_with_addition(straight):
    words = {"agent": "somebody", "action": "mend", "thing": "some furniture"}
    assert straight.statement(words, addition="in secret") == "Somebody mends some furniture in secret."


def test_statement_negated_has_not_or_never(straight):
    told = {straight.statement(WORDS, negated=True) for _ in range(30)}
    assert told == {"The smith does not mend the desk at the forge.", "The smith never mends the desk at the forge."}


def test_question_order_depends_on_style(straight, turned):
    assert straight.question(WORDS) == "Does the smith mend the desk at the forge?"
    assert turned.question(WORDS) == "Is it at the forge that the smith mends the desk?"


def test_replace_slots_changes_only_these_slots(plain):
    for _ in range(50):
        frame, slots = plain.frame(), plain.slots(2)
        changed = plain.replace(frame, slots=slots, same_topic=0.5)
        assert {slot for slot in SLOTS if changed[slot] != frame[slot]} == set(slots)


def test_replace_slots_keeps_or_leaves_the_topic(plain):
    frame = plain.frame()
    for share, stays in ((1.0, True), (0.0, False)):
        changed = plain.replace(frame, slots=SLOTS, same_topic=share)
        assert all((changed[slot].topic == frame[slot].topic) == stays for slot in SLOTS)


def test_frame_agents_and_places_may_be_off_topic(plain):
    frames = [plain.frame() for _ in range(400)]
    assert all(frame["action"].topic == frame["thing"].topic for frame in frames)
    for slot in ("agent", "place"):
        strays = np.mean([frame[slot].topic != frame["action"].topic for frame in frames])
        assert strays == pytest.approx(plain.style.off_topic, abs=0.08)


def test_opinions_change_the_thing_only(straight, turned):
    frame = straight.frame()
    assert set(straight.words_with_opinion(frame)["thing"].split()) <= set(frame["thing"].words)
    words = turned.words_with_opinion(frame)
    the, opinion, thing = words["thing"].split()
    assert (the, thing in frame["thing"].words) == ("the", True)
    assert all(words[slot] in frame[slot].words for slot in ("agent", "action", "place"))
    assert opinion


def test_words_are_all_those_of_a_concept(plain):
    frame = plain.frame()
    assert {plain.words(frame)["agent"] for _ in range(30)} == set(frame["agent"].words)
