import pytest

from dfwe.data.friends.annotations import LABEL_EXISTS, EmotionAnnotation
from dfwe.data.friends.build import Scenes, build
from dfwe.data.friends.scene import Excerpt, Line, Reading, Turn
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


LONG = "The grey harbour keeps nine wooden boats under a leaking roof."  # 11 words
OTHER = "Yesterday our baker sold forty loaves to the travelling circus."  # 10
THIRD = "Nobody ever told the postman which staircase leads to the attic."  # 11
FOREIGN = "Plenty of snow fell while everybody was dancing in a tent outside."  # 12


def excerpt(*texts, divisible=False):
    return Excerpt("a release", "key", tuple(Turn(("Ada Pike",), text) for text in texts), divisible=divisible)


def scenes(**contents):
    found = Scenes()
    for scene_id, texts in contents.items():
        found.scene(scene_id).lines.extend(Line(("Ada Pike",), text) for text in texts)
        found.index(found.scene(scene_id))
    return found


@pytest.fixture
def two():
    return scenes(first=[LONG, OTHER], second=[THIRD])


def test_an_excerpt_is_found_in_the_scene_that_has_its_words(two):
    match = two.find(excerpt(LONG, OTHER))
    assert (match.scene.scene_id, match.start, match.stop, match.num_words) == ("first", 0, 2, 21)


def test_spelling_and_punctuation_do_not_matter(two):
    match = two.find(excerpt(LONG.upper().replace(".", "?!"), OTHER.replace(" ", "  ")))
    assert match.num_words == 21


def test_fewer_than_twelve_words_are_no_match(two):
    assert two.find(excerpt(LONG)) is None
    assert two.find(excerpt(f"{LONG} Yesterday")) is not None


def test_words_that_no_scene_has_in_a_row_are_no_match(two):
    assert two.find(excerpt(FOREIGN, FOREIGN)) is None
    assert two.find(excerpt("No.")) is None


def test_seven_tenths_of_a_blocks_words_must_agree(two):
    more = " ".join(f"word{k}" for k in range(9))
    assert two.find(excerpt(f"{LONG} {OTHER} {more}")).num_words == 21  # 21 of 30
    assert two.find(excerpt(f"{LONG} {OTHER} {more} word9")) is None  # 21 of 31


def test_the_block_of_turns_that_agrees_is_told(two):
    match = two.find(excerpt(FOREIGN, LONG, OTHER, FOREIGN, divisible=True))
    assert (match.start, match.stop) == (1, 3)


def test_find_indivisible_excerpt_needs_half_the_words():
    large = scenes(first=[LONG, OTHER, THIRD, *(f"Filler number{k} stands quite alone today." for k in range(9))])
    alone = [LONG, OTHER, *(f"{FOREIGN} {k}{k}" for k in range(3))]  # 21 of 60 words agree, the scene is longer
    assert large.find(excerpt(*alone)) is None
    assert large.find(excerpt(*alone, divisible=True)).num_words == 21


def test_the_scene_with_more_words_in_common_wins():
    match = scenes(first=[LONG, OTHER], second=[LONG, OTHER, THIRD]).find(excerpt(LONG, OTHER, THIRD))
    assert match.scene.scene_id == "second"


def test_of_equal_scenes_the_first_id_wins():
    assert scenes(b=[LONG, OTHER], a=[LONG, OTHER]).find(excerpt(LONG, OTHER)).scene.scene_id == "a"


def test_what_more_than_eight_scenes_say_tells_nothing():
    quoted = {f"s{k}": [LONG, OTHER] for k in range(9)}
    assert scenes(**quoted).find(excerpt(LONG, OTHER)) is None
    quoted.pop("s8")
    assert scenes(**quoted).find(excerpt(LONG, OTHER)) is not None


def test_a_scene_that_is_not_indexed_is_not_found():
    found = Scenes()
    found.scene("first").lines.append(Line((), f"{LONG} {OTHER}"))
    assert found.find(excerpt(LONG, OTHER)) is None
