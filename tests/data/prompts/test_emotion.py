from dataclasses import replace

import pytest

from dfwe.data.prompts.dialogues import Emotion
from dfwe.errors import DataError

TASK = "MELD_emotion_recognition"
PROMPT = Emotion(task=TASK, labels=("joy", "sadness"))


def ask(dialogue, *, prompt=PROMPT, max_words=0):
    return list(prompt.instances(dialogue, max_words=max_words, seed=0))


def test_the_context_ends_with_the_turn_that_is_asked_about(dialogue):
    first, last = ask(dialogue)
    assert first.source == "context: Ada Pike: The kettle is cold. emotion:"
    assert last.source == (
        "context: Ada Pike: The kettle is cold. ( A bell rings. ) Ada Pike Ben Lowe: Who is it? "
        "Ben Lowe: My aunt, she brought you a cake. emotion:"
    )
    assert (last.instance_id, last.dialogue_id) == ("d1_t3", "d1")
    assert last.targets == last.references == ("joy",)
    assert last.candidates == ("joy", "sadness")
    assert last.prompt == " emotion:"


def test_emotion_context_drops_old_turns(dialogue):
    assert ask(dialogue, max_words=9)[1].source == "context: Ben Lowe: My aunt, she brought you a cake. emotion:"
    assert ask(dialogue, max_words=8)[1].source == "context:  emotion:"


def test_emotion_dialogue_without_task_metadata_has_none(dialogue):
    del dialogue["dialogue_metadata"][TASK]
    assert ask(dialogue) == []


def test_an_unknown_label_is_an_error(dialogue):
    dialogue["dialogue"][3][TASK]["label"] = "glee"
    message = "dialogue 'd1', instance 'd1_t3': unknown label 'glee', expected one of joy, sadness"
    with pytest.raises(DataError, match=message):
        ask(dialogue)


def test_emotion_missing_label_raises_unless_unlabelled(dialogue):
    del dialogue["dialogue"][0][TASK]["label"]
    with pytest.raises(DataError, match="instance 'd1_t0': 'label' is missing"):
        ask(dialogue)
    first, last = ask(dialogue, prompt=replace(PROMPT, unlabelled=True))
    assert first.targets == first.references == ()
    assert last.targets == ("joy",)


def test_an_unlabelled_dialogue_is_asked_about_every_turn():
    turns = [{"speakers": ["Ada Pike"], "utterance": text} for text in ("Rain.", "Snow.")]
    first, last = ask({"dialogue_id": "new", "dialogue": turns}, prompt=replace(PROMPT, unlabelled=True))
    assert (first.instance_id, last.instance_id) == ("new_t0", "new_t1")
    assert last.source == "context: Ada Pike: Rain. Ada Pike: Snow. emotion:"


def test_emotion_wrong_annotation_raises(dialogue):
    with pytest.raises(DataError, match="dialogue 'd1': 'dialogue_metadata' is missing"):
        ask({key: value for key, value in dialogue.items() if key != "dialogue_metadata"})
    dialogue["dialogue"][0][TASK] = "joy"
    with pytest.raises(DataError, match=f"d1_t0: '{TASK}' must be an object"):
        ask(dialogue)
