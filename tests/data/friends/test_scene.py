from dataclasses import replace

import pytest

from dfwe.data.friends.annotations import EmotionAnnotation, PersonalityAnnotation
from dfwe.data.friends.scene import Excerpt, Line, Scene, Turn, fold, num_words, place
from dfwe.data.friends.tasks import MELD

LINES = (("Ada Pike", "Seven geese sleep here."), ("Ben Lowe", "Do they snore?"), ("Ada Pike", "Only the old ones."))


@pytest.fixture
def scene():
    return Scene("s01_e01_c01", [Line((who,), text) for who, text in LINES])


def turns(*texts, who="Ada Pike"):
    return tuple(Turn((who,), text) for text in texts)


def excerpt(*texts, who="Ada Pike", whole=False):
    return Excerpt("a release", "key", turns(*texts, who=who), scene_id="s01_e01_c01", whole=whole)


def texts_of(scene):
    return [line.text for line in scene.lines]


def test_turns_stand_in_the_lines_that_have_their_words(scene):
    placement = place(turns("do they, SNORE", "Only the old ones!"), scene=scene)
    assert placement.lines == (scene.lines[1], scene.lines[2])
    assert placement.agreeing() == [3, 4]
    assert (placement.num_words, placement.num_scene_words) == (7, 11)


def test_place_finds_words_by_their_position(scene):
    placement = place(turns("Oh, they snore."), scene=scene)
    line, word = placement.words[(0, 4)]
    assert (line.text, line.text[word.start : word.end]) == ("Do they snore?", "they")
    assert (0, 0) not in placement.words


@pytest.mark.parametrize(("text", "found"), [("they snore loud now", True), ("they snore loud now too", False)])
def test_half_of_a_turns_words_place_it(scene, text, found):
    assert (place(turns(text), scene=scene).lines == (scene.lines[1],)) is found


def test_a_turn_without_words_is_in_no_line(scene):
    assert place(turns("...", ""), scene=scene).lines == (None, None)


def test_the_order_of_lines_binds(scene):
    # both in a row cannot agree the other way round: the longer one does
    placement = place(turns("Only the old ones.", "Do they snore?"), scene=scene)
    assert placement.lines == (scene.lines[2], None)


def test_the_first_excerpt_gives_the_lines():
    scene = Scene("s01_e01_c01")
    placement = fold(excerpt("One two.", "Three."), scene=scene)
    assert texts_of(scene) == ["One two.", "Three."]
    assert placement.lines == tuple(scene.lines)
    assert placement.agreeing() == [2, 1]
    assert not scene.whole


def test_what_no_line_has_is_added_after_the_turn_before(scene):
    placement = fold(excerpt("Seven geese sleep here.", "In a red barn.", "Only the old ones."), scene=scene)
    assert texts_of(scene) == [LINES[0][1], "In a red barn.", LINES[1][1], LINES[2][1]]
    assert placement.lines == (scene.lines[0], scene.lines[1], scene.lines[3])
    assert placement.agreeing() == [4, 4, 4]


def test_fold_adds_beginning_before_first_agreeing_line(scene):
    fold(excerpt("In a red barn.", "Do they snore?"), scene=scene)
    assert texts_of(scene) == [LINES[0][1], "In a red barn.", LINES[1][1], LINES[2][1]]


def test_an_excerpt_with_nothing_in_common_goes_to_the_end(scene):
    fold(excerpt("In a red barn."), scene=scene)
    assert texts_of(scene)[-1] == "In a red barn."


def test_a_whole_scene_gets_no_more_lines(scene):
    scene.whole = True
    assert fold(excerpt("In a red barn."), scene=scene).lines == (None,)
    assert len(scene.lines) == 3


def test_a_scene_is_whole_once_a_release_has_all_of_it(scene):
    fold(excerpt("In a red barn.", whole=True), scene=scene)
    assert scene.whole
    assert len(scene.lines) == 4


def test_stage_directions_and_bare_punctuation_are_not_added(scene):
    note = Turn((), "( A door falls. )")
    placement = fold(Excerpt("a release", "key", (note, *turns("...")), scene_id="s01_e01_c01"), scene=scene)
    assert placement.lines == (None, None)
    assert len(scene.lines) == 3


def test_a_code_of_a_speaker_counts_twice(scene):
    fold(excerpt("Do they snore?", who="@ent03"), scene=scene)
    assert scene.names == {"@ent03": {"Ben Lowe": 2}}


def test_a_code_between_words_that_agree_counts_once():
    scene = Scene("s", [Line((), "I saw Vera Quill at the pier."), Line((), "We left Vera.")])
    fold(excerpt("I saw @ent03 at the pier.", "We left @ent03."), scene=scene)
    assert scene.names == {"@ent03": {"Vera Quill": 1, "Vera": 1}}


def test_a_code_of_the_lines_is_learnt_from_a_later_release():
    scene = Scene("s", [Line(("@ent01",), "Where is @ent02 tonight?")])
    fold(excerpt("Where is Vera tonight?"), scene=scene)
    assert scene.names == {"@ent01": {"Ada Pike": 2}, "@ent02": {"Vera": 1}}


@pytest.mark.parametrize(
    "text", ["I saw him at the pier.", "I saw a man in a red cap at the pier.", "I saw at the pier."]
)
def test_what_is_no_name_tells_nothing(text):
    scene = Scene("s", [Line((), text)])
    fold(excerpt("I saw @ent03 at the pier."), scene=scene)
    assert scene.names == {}


def test_a_hidden_speaker_tells_nothing():
    scene = Scene("s", [Line(("Speaker 2",), "I saw the pier.")])
    fold(excerpt("I saw the pier.", who="@ent03"), scene=scene)
    assert scene.names == {}


def test_words_are_counted():
    assert num_words(turns("One, two.", "...", "Isn't it?")) == 4


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
