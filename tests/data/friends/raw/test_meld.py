from dfwe.config.tasks import load_task
from dfwe.data.friends.annotations import EmotionAnnotation
from dfwe.data.friends.raw import emotions
from dfwe.data.friends.scene import Turn
from dfwe.data.friends.tasks import MELD

COLUMNS = "Utterance,Speaker,Emotion,Dialogue_ID\n"


def read(lay, text, name="train"):
    return emotions.read_meld(lay({f"meld/{name}_sent_emo.csv": (COLUMNS + text).encode()}))


def test_a_dialogue_is_a_run_of_its_number(lay):
    reading = read(lay, "Hum.,Ada,joy,0\nHo.,Ben,Fear,0\nHa.,Ada,anger,12\n", name="dev")
    first, second = reading.excerpts
    assert (first.key, second.key) == ("meld_dev_0000", "meld_dev_0012")
    assert first.turns == (Turn(("Ada",), "Hum."), Turn(("Ben",), "Ho."))
    assert first.annotations == (
        EmotionAnnotation(MELD, 0, "joy", last=True),
        EmotionAnnotation(MELD, 1, "fear", last=True),
    )
    assert first.divisible
    assert first.scene_id is None
    assert reading.missing == ("train_sent_emo.csv", "test_sent_emo.csv")


def test_windows_quotation_marks_are_repaired(lay):
    (excerpt,) = read(lay, "I\x92m \x93in\x94\x85 now\x97,Ada,joy,0\n").excerpts
    assert excerpt.turns[0].text == 'I\'m "in"... now-'


def test_invalid_rows_are_dropped_and_listed(lay):
    reading = read(lay, "Hum.,Ada,glee,0\n ,Ada,joy,0\nHum.,Ada,joy,x\nHum.,Ada\nHo.,Ben,joy,0\n")
    assert len(reading.excerpts[0].turns) == 1
    assert reading.report.num_rows == 5
    assert [(bad.line, bad.reason.split(",")[0]) for bad in reading.report.invalid] == [
        (2, "unknown label 'glee'"),
        (3, "the utterance is empty"),
        (4, "invalid literal for int() with base 10: 'x'"),
        (5, "2 fields"),
    ]


def test_the_labels_are_the_tasks():
    assert load_task("meld").labels == emotions.MELD_LABELS


NUMBERED = "Sr No.,Utterance,Speaker,Emotion,Dialogue_ID,Utterance_ID\n"


def numbered(lay, text):
    return emotions.read_meld(lay({"meld/train_sent_emo.csv": (NUMBERED + text).encode()}))


def test_turns_come_in_the_order_of_their_numbers(lay):
    reading = numbered(lay, "1,Ha.,Ada,joy,4,2\n2,Ho.,Ben,anger,4,0\n3,Hi.,Ada,fear,4,1\n")
    (excerpt,) = reading.excerpts
    assert [turn.text for turn in excerpt.turns] == ["Ho.", "Hi.", "Ha."]
    assert [annotation.label for annotation in excerpt.annotations] == ["anger", "fear", "joy"]
    assert [(odd.line, odd.reason) for odd in reading.report.suspicious] == [
        (3, "utterance 0 stands after 2 of its dialogue; it is read before it"),
        (4, "utterance 1 stands after 2 of its dialogue; it is read before it"),
    ]


def test_rows_of_a_dialogue_come_together(lay):
    reading = numbered(lay, "1,Ha.,Ada,joy,4,0\n2,Ho.,Ben,anger,5,0\n3,Hi.,Ada,fear,4,1\n")
    assert [[turn.text for turn in excerpt.turns] for excerpt in reading.excerpts] == [["Ha.", "Hi."], ["Ho."]]
    (odd,) = reading.report.suspicious
    assert (odd.line, odd.reason.split(";")[0]) == (4, "it stands apart from its dialogue, which ends in line 2")


def test_a_repeated_row_is_bad_and_names_the_other(lay):
    reading = numbered(lay, "1,Ha.,Ada,joy,4,0\n2,Ho.,Ben,joy,4,1\n1,Ha.,Ada,joy,4,0\n")
    assert [turn.text for turn in reading.excerpts[0].turns] == ["Ha.", "Ho."]
    assert [(bad.line, bad.reason) for bad in reading.report.invalid] == [
        (4, "utterance 0 of its dialogue comes again: line 2 has it, too")
    ]


def test_meld_repeated_number_is_suspicious(lay):
    reading = numbered(lay, "1,Ha.,Ada,joy,4,0\n2,Ho.,Ben,joy,4,0\n")
    assert [turn.text for turn in reading.excerpts[0].turns] == ["Ha.", "Ho."]
    assert [(odd.line, odd.reason) for odd in reading.report.suspicious] == [
        (3, "it has the number 0 of its dialogue, as line 2 has with other words")
    ]
