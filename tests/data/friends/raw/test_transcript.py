import json

import pytest

from dfwe.data.friends.raw.scenes import read_seasons
from dfwe.data.friends.scene import Turn
from dfwe.errors import DataError


def utterance(**fields):
    return {"speakers": ["Ada Pike"], "transcript": "Hum."} | fields


def read(lay, *utterances, content=None, scene_id="s10_e01_c01"):
    scenes = [{"scene_id": scene_id, "utterances": list(utterances)}]
    content = {"episodes": [{"scenes": []}, {"scenes": scenes}]} if content is None else content
    return read_seasons(lay({"character_mining/friends_season_10.json": json.dumps(content).encode()}))


def test_a_scene_is_its_utterances_and_stage_directions(lay):
    note = utterance(speakers=[], transcript="", transcript_with_note="[Scene: A\n pier.]")
    empty = utterance(transcript="", transcript_with_note=None)
    reading = read(lay, note, utterance(), empty, utterance(transcript="Ho.", transcript_with_note="(waving) Ho."))
    (scene,) = reading.excerpts
    assert scene.turns == (Turn((), "[Scene: A pier.]"), Turn(("Ada Pike",), "Hum."), Turn(("Ada Pike",), "Ho."))
    assert (scene.scene_id, scene.whole, scene.annotations) == ("s10_e01_c01", True, ())
    assert reading.missing == tuple(f"friends_season_{season:02d}.json" for season in range(1, 10))


@pytest.mark.parametrize(
    ("utterances", "reason"),
    [
        ([], "it has no turn"),
        ([utterance(transcript="")], "it has no turn"),
        ([utterance(speakers="Ada")], "expected a list of names"),
        ([{"transcript": "Hum."}], "field 'speakers' is missing"),
        ([utterance(transcript=5)], "not of the release's form"),
        ([None], "not of the release's form"),
    ],
)
def test_unreadable_scene_is_an_invalid_row(lay, utterances, reason):
    (bad,) = read(lay, *utterances).report.invalid
    assert bad.line == 1
    assert bad.reason.startswith(reason)


def test_scene_without_id_is_an_invalid_row(lay):
    assert "is not a scene id" in read(lay, utterance(), scene_id="s1").report.invalid[0].reason


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "must be an object with a list 'episodes'"),
        ({"episodes": {}}, "must be an object with a list 'episodes'"),
        ({"episodes": [{"scenes": []}, {}]}, "episode number 2 must be an object with a list 'scenes'"),
        ({"episodes": [None]}, "episode number 1 must be an object with a list 'scenes'"),
    ],
)
def test_another_layout_is_an_error(lay, content, message):
    with pytest.raises(DataError, match=message):
        read(lay, content=content)
