import json

import pytest

from dfwe.config.tasks import load_task
from dfwe.data.friends.annotations import EmotionAnnotation
from dfwe.data.friends.raw import emotions
from dfwe.data.friends.scene import Turn
from dfwe.data.friends.tasks import EMORY

COLUMNS = "Utterance,Speaker,Emotion,Scene_ID,Season,Episode\n"


def read(lay, text):
    return emotions.read_emory(lay({"emory_emotion/emorynlp_train_final.csv": (COLUMNS + text).encode()}))


def test_scenes_of_the_json_form_are_told(raw):
    scene = emotions.read_emory(raw).excerpts[0]
    assert (scene.scene_id, scene.whole, scene.divisible) == ("s01_e01_c01", True, False)
    assert scene.annotations[:2] == (EmotionAnnotation(EMORY, 0, "joyful"), EmotionAnnotation(EMORY, 1, "sad"))


def test_a_stage_direction_has_no_emotion(files, lay):
    name = "emory_emotion/emotion-detection-dev.json"
    content = json.loads(files[name])
    note = {"speakers": [], "transcript": "", "transcript_with_note": "( A bell. )", "emotion": None}
    content["episodes"][0]["scenes"][0]["utterances"].insert(0, note)
    scene = emotions.read_emory(lay({name: json.dumps(content).encode()})).excerpts[0]
    assert scene.turns[0] == Turn((), "( A bell. )")
    assert scene.annotations[0] == EmotionAnnotation(EMORY, 1, "joyful")


def test_scenes_of_the_table_are_runs_of_their_numbers(lay):
    first, second = read(
        lay, "Hum.,['Ada'],Mad,3,1,2\nHo.,\"['Ada', 'Ben']\",Sad,3,1,2\nHa.,['Ada'],Mad,3,1,10\n"
    ).excerpts
    assert (first.key, second.key) == ("emory_train_s01_e02_scene03", "emory_train_s01_e10_scene03")
    assert first.turns == (Turn(("Ada",), "Hum."), Turn(("Ada", "Ben"), "Ho."))
    assert first.annotations == (EmotionAnnotation(EMORY, 0, "mad"), EmotionAnnotation(EMORY, 1, "sad"))
    assert (first.scene_id, first.divisible) == (None, True)


def test_emory_table_is_skipped_if_scenes_exist(files, lay):
    name = "emory_emotion/emorynlp_dev_final.csv"
    reading = emotions.read_emory(lay({**files, name: files["emory_emotion/emorynlp_train_final.csv"]}))
    assert [excerpt.key for excerpt in reading.excerpts] == ["emory_s01_e01_c01", "emory_train_s02_e01_scene07"]
    assert reading.missing == ("emotion-detection-trn.json", "emotion-detection-tst.json", "emorynlp_test_final.csv")


@pytest.mark.parametrize("speakers", ["Ada Pike", "['Ada'", "'Ada'", "[1]", ""])
def test_speakers_not_a_list_are_an_invalid_row(lay, speakers):
    (bad,) = read(lay, f'Hum.,"{speakers}",Mad,3,1,2\n').report.invalid
    assert bad.reason == f"speakers must be written as a list of names, found '{speakers}'"


def test_other_invalid_rows_are_listed(lay):
    rows = read(lay, "Hum.,['Ada'],Glad,3,1,2\n,['Ada'],Mad,3,1,2\nHum.,['Ada'],Mad,three,1,2\n").report
    assert [(bad.line, bad.reason.split(",")[0]) for bad in rows.invalid] == [
        (2, "unknown label 'Glad'"),
        (3, "the utterance is empty"),
        (4, "invalid literal for int() with base 10: 'three'"),
    ]


def test_the_labels_are_the_tasks():
    assert load_task("emory_emotion").labels == emotions.EMORY_LABELS
