from dataclasses import replace

import pytest

from dfwe.data.friends.annotations import EmotionAnnotation, PersonalityAnnotation
from dfwe.data.friends.scene import Excerpt, Turn
from dfwe.data.friends.tasks import MELD

TURNS = tuple(Turn((), text) for text in ("one", "two", "three"))


def test_excerpt_part_has_own_key_and_annotations():
    annotations = tuple(EmotionAnnotation(MELD, number, label) for number, label in enumerate(("joy", "fear", "anger")))
    part = Excerpt("MELD", "m1", TURNS, annotations, divisible=True).part(1, 3)
    assert (part.key, part.turns) == ("m1_01", TURNS[1:])
    assert part.annotations == (EmotionAnnotation(MELD, 0, "fear"), EmotionAnnotation(MELD, 1, "anger"))


def test_all_of_an_excerpt_is_the_excerpt():
    excerpt = Excerpt("MELD", "m1", TURNS)
    assert excerpt.part(0, 3) is excerpt


def test_a_mark_of_all_turns_is_in_no_part():
    excerpt = Excerpt("personality", "p", TURNS, (PersonalityAnnotation("Ada Pike", {"open": "1"}),))
    assert excerpt.part(0, 2).annotations == ()


def test_an_excerpt_has_a_turn():
    with pytest.raises(ValueError, match="it has no turn"):
        replace(Excerpt("MELD", "m1", TURNS), turns=())
