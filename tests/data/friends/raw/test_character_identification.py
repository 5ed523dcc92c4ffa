import json

import pytest

from dfwe.data.friends.annotations import MentionAnnotation
from dfwe.data.friends.raw.scenes import read_mentions

NAME = "character_identification/character-identification-dev.json"


def read(lay, transcript, *, tokens, entities):
    """One utterance; tokens as texts with blanks, one a sentence."""
    utterance = {
        "speakers": ["Ada Pike"],
        "transcript": transcript,
        "tokens": [sentence.split() for sentence in tokens],
        "character_entities": entities,
    }
    scenes = [{"scene_id": "s01_e01_c01", "utterances": [utterance]}]
    return read_mentions(lay({NAME: json.dumps({"episodes": [{"scenes": scenes}]}).encode()}))


def mentions(reading):
    (scene,) = reading.excerpts
    return [(annotation.start, annotation.text, annotation.entity) for annotation in scene.annotations]


def test_mentions_are_the_words_of_the_transcript(lay):
    reading = read(
        lay,
        "I can't see  you, Mr.Quill. You hide.",
        tokens=["I ca n't see you , Mr . Quill .", "You hide ."],
        entities=[[[6, 9, "Otto Quill"], [4, 5, "Otto Quill"], [0, 1, "Ada Pike"]], [[0, 1, "Otto Quill"]]],
    )
    # the order of the words, and blanks collapsed
    assert mentions(reading) == [
        (0, "I", "Ada Pike"),
        (12, "you", "Otto Quill"),
        (17, "Mr.Quill", "Otto Quill"),
        (27, "You", "Otto Quill"),
    ]
    assert reading.excerpts[0].whole


def test_of_several_people_the_first_is_meant(lay):
    reading = read(lay, "We sing.", tokens=["We sing ."], entities=[[[0, 1, "Ada Pike", "Ben Lowe"]]])
    assert mentions(reading) == [(0, "We", "Ada Pike")]


def test_mentions_missing_token_does_not_shift_others(lay):
    reading = read(lay, 'Say "him" to him.', tokens=["Say `` him '' to him ."], entities=[[[5, 6, "Ben Lowe"]]])
    assert mentions(reading) == [(13, "him", "Ben Lowe")]


@pytest.mark.parametrize(
    ("entities", "reason"),
    [
        ([[[3, 9, "Ada Pike"]]], "not of the release's form: list index out of range"),
        ([[[0, 1]]], "not of the release's form: list index out of range"),
        ([[[0]]], "not of the release's form: list index out of range"),
        ([], "zip() argument 2 is shorter"),
        ([[], []], "zip() argument 2 is longer"),
        ([["Ada"]], "not of the release's form"),
    ],
)
def test_entities_without_tokens_are_an_invalid_row(lay, entities, reason):
    reading = read(lay, "We sing.", tokens=["We sing ."], entities=entities)
    assert reading.excerpts == ()
    assert reading.report.invalid[0].reason.startswith(reason)


def test_the_hand_made_release_is_read(raw):
    reading = read_mentions(raw)
    assert reading.missing == ("character-identification-trn.json", "character-identification-dev.json")
    assert reading.excerpts[0].annotations[1] == MentionAnnotation(1, 5, "mine", "Ross Geller")
