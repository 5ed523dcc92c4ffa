from dfwe.data.friends.excerpt import Turn
from dfwe.data.friends.marks import Emotion
from dfwe.data.friends.official import MELD
from dfwe.data.friends.raw import meld
from dfwe.stages.tasks import load_task

COLUMNS = "Utterance,Speaker,Emotion,Dialogue_ID\n"


def read(lay, text, name="train"):
    return meld.read(lay({f"meld/{name}_sent_emo.csv": (COLUMNS + text).encode()}))


def test_a_dialogue_is_a_run_of_its_number(lay):
    reading = read(lay, "Hum.,Ada,joy,0\nHo.,Ben,Fear,0\nHa.,Ada,anger,12\n", name="dev")
    first, second = reading.excerpts
    assert (first.key, second.key) == ("meld_dev_0000", "meld_dev_0012")
    assert first.turns == (Turn(("Ada",), "Hum."), Turn(("Ben",), "Ho."))
    assert first.marks == (Emotion(MELD, 0, "joy", last=True), Emotion(MELD, 1, "fear", last=True))
    assert first.divisible
    assert first.scene_id is None
    assert reading.missing == ("train_sent_emo.csv", "test_sent_emo.csv")


def test_windows_quotation_marks_are_repaired(lay):
    (excerpt,) = read(lay, "I\x92m \x93in\x94\x85 now\x97,Ada,joy,0\n").excerpts
    assert excerpt.turns[0].text == 'I\'m "in"... now-'


def test_bad_rows_are_left_out_and_listed(lay):
    reading = read(lay, "Hum.,Ada,glee,0\n ,Ada,joy,0\nHum.,Ada,joy,x\nHum.,Ada\nHo.,Ben,joy,0\n")
    assert len(reading.excerpts[0].turns) == 1
    assert reading.rows.num_read == 5
    assert [(bad.line, bad.reason.split(",")[0]) for bad in reading.rows.bad] == [
        (2, "unknown label 'glee'"),
        (3, "the utterance is empty"),
        (4, "invalid literal for int() with base 10: 'x'"),
        (5, "2 fields"),
    ]


def test_the_labels_are_the_tasks():
    assert load_task("meld").labels == meld.LABELS
