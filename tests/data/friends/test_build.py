import pytest

from dfwe.data.friends.annotations import LABEL_EXISTS, EmotionAnnotation
from dfwe.data.friends.build import build
from dfwe.data.friends.scene import Excerpt, Reading, Turn
from dfwe.data.friends.tasks import MELD
from dfwe.data.readers.base import RowReport

BOATS = "The grey harbour keeps nine wooden boats under a leaking copper roof."  # 12 words
LOAVES = "Yesterday our baker sold forty fresh loaves to the small travelling circus."  # 12
ATTIC = "Nobody ever told the postman which staircase really leads to the attic."  # 12
SNOW = "Plenty of snow fell while everybody was dancing in a tent."  # 11
HI = "Hi there, you."


def reading(name, *excerpts):
    return Reading(name, tuple(excerpts), RowReport(len(excerpts)))


def told(scene_id, *texts):
    turns = tuple(Turn(("Ada Pike",), text) for text in texts)
    return Excerpt("told", f"t_{scene_id}", turns, scene_id=scene_id, whole=True)


def sought(key, *texts, divisible=True):
    annotations = tuple(EmotionAnnotation(MELD, number, "joy") for number in range(len(texts)))
    return Excerpt("MELD", key, tuple(Turn(("Ada Pike",), text) for text in texts), annotations, divisible=divisible)


@pytest.fixture
def built():
    """Builds scenes a (boats, loaves) and b (attic) and the excerpts; what the scenes are labelled, and the tally."""

    def _build(*excerpts):
        a, b = told("s01_e01_c01", BOATS, LOAVES), told("s01_e01_c02", ATTIC)
        scenes, tally = build([reading("MELD", *excerpts), reading("told", b, a)])
        return {
            name: [line.text for line in scene.lines if MELD in line.annotations] for name, scene in scenes.items()
        }, tally

    return _build


def test_scenes_come_in_the_order_of_their_ids(built):
    labelled, tally = built()
    assert list(labelled) == ["s01_e01_c01", "s01_e01_c02"]
    assert tally.with_scene == {"told": 2}


def test_an_excerpt_is_put_on_the_scene_that_has_its_words(built):
    labelled, tally = built(sought("m", BOATS, LOAVES))
    assert labelled == {"s01_e01_c01": [BOATS, LOAVES], "s01_e01_c02": []}
    assert (tally.matched, tally.unmatched) == ({"MELD": 1}, {})
    assert (tally.read[MELD], tally.dropped[MELD]) == (2, {})


def test_an_excerpt_of_two_scenes_is_divided(built):
    labelled, tally = built(sought("m", LOAVES, ATTIC))
    assert labelled == {"s01_e01_c01": [LOAVES], "s01_e01_c02": [ATTIC]}
    assert (tally.matched, tally.read[MELD]) == ({"MELD": 2}, 2)


def test_an_excerpt_that_matches_nothing_becomes_a_scene(built):
    labelled, tally = built(sought("m", SNOW))
    assert labelled["m"] == [SNOW]
    assert (tally.matched, tally.unmatched) == ({}, {"MELD": 1})


def test_build_long_rest_of_a_match_becomes_a_scene(built):
    labelled, tally = built(sought("m", SNOW, SNOW, BOATS))
    assert labelled == {"s01_e01_c01": [BOATS], "s01_e01_c02": [], "m_00": [SNOW, SNOW]}
    assert (tally.matched, tally.unmatched) == ({"MELD": 1}, {"MELD": 1})


def test_a_few_words_beside_a_match_stay_with_it(built):
    labelled, tally = built(sought("m", HI, BOATS, HI))
    assert list(labelled) == ["s01_e01_c01", "s01_e01_c02"]
    assert labelled["s01_e01_c01"] == [BOATS]
    assert tally.dropped[MELD] == {"its turn is in no line of the scene": 2}


def test_build_indivisible_excerpt_stays_together(built):
    labelled, tally = built(sought("m", SNOW, BOATS, divisible=False))
    assert list(labelled) == ["s01_e01_c01", "s01_e01_c02"]
    assert (tally.matched, tally.dropped[MELD].total()) == ({"MELD": 1}, 1)


def test_build_excerpt_matches_scene_of_earlier_excerpt(built):
    labelled, tally = built(sought("m", SNOW, HI), sought("n", SNOW, HI))
    assert labelled == {"s01_e01_c01": [], "s01_e01_c02": [], "m": [SNOW, HI]}
    assert tally.dropped[MELD] == {LABEL_EXISTS: 2}


def test_the_release_that_comes_first_gives_the_lines():
    scenes, _ = build([reading("x", told("s01_e01_c01", BOATS.upper())), reading("y", told("s01_e01_c01", BOATS, HI))])
    assert [line.text for line in scenes["s01_e01_c01"].lines] == [BOATS.upper()]


def test_codes_of_all_releases_are_collected():
    coded = Excerpt("q", "q", (Turn((), HI),), scene_id="s01_e01_c01", codes=frozenset({"@ent00"}))
    scenes, _ = build([reading("told", told("s01_e01_c01", BOATS)), reading("q", coded)])
    assert scenes["s01_e01_c01"].codes == {"@ent00"}


def test_nothing_gives_no_scene():
    assert build([])[0] == {}
