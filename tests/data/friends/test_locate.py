import pytest

from dfwe.data.friends.build import Scenes
from dfwe.data.friends.scene import Excerpt, Line, Turn

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
