"""A merged model in Python: `load(folder).predict(texts)`."""

import math
from datetime import date

import numpy as np
import pytest

from dfwe.data.readers.sheet import cell_of
from dfwe.errors import ConfigurationError, DataError, ModelError
from dfwe.predict import load

DIALOGUE = {
    "dialogue_id": "d1",
    "dialogue": [
        {"turn_id": 0, "speakers": ["Ann"], "utterance": "I am glad."},
        {"turn_id": 1, "speakers": ["Bob"], "utterance": "That makes me furious."},
    ],
}


def test_texts_and_rows_have_an_answer_each_in_order(folder):
    model = load(folder())
    texts = ["A warm kettle.", "A cold kettle.", "what is it?"]
    answers = model.predict(texts)
    assert set(answers) <= {"good", "bad"}
    assert model.predict([{"text": text, "more": 3} for text in texts]) == answers
    assert [model.predict([text])[0] for text in texts] == answers
    assert (model.task, model.labels, model.columns) == ("moods", ("good", "bad"), ("text",))
    assert model.predict([]) == []


def test_rows_may_hold_what_tables_in_python_hold(folder):
    model = load(folder())
    row = {"text": np.float32(2.5), "image": b"\xff", "day": date(2026, 1, 2), "score": math.nan}
    assert model.predict([row]) == model.predict(["2.5"])
    assert model.predict([{"text": date(2026, 1, 2)}]) == model.predict(["2026-01-02"])
    assert cell_of(np.datetime64("2026-01-02T03:00", "ns")) == "2026-01-02T03:00:00"
    for cell, message in ((b"\xff", "column 'text' holds no text"), (math.nan, "column 'text' is empty")):
        with pytest.raises(DataError, match=f"input 1: {message}"):
            model.predict([{"text": cell}])


def test_probabilities_add_up_and_the_answer_is_the_most_likely(folder):
    model = load(folder())
    answers = model.answers(["A warm kettle.", {"text": "A cold kettle.", "id": "r7"}])
    assert [each.instance_id for each in answers] == ["1", "r7"]
    for answer in answers:
        assert list(answer.probabilities) == ["good", "bad"]
        assert math.isclose(sum(answer.probabilities.values()), 1.0)
        assert answer.answer == max(answer.probabilities, key=answer.probabilities.get)
    assert model.probabilities(["A warm kettle."]) == [pytest.approx(answers[0].probabilities, rel=1e-3)]


def test_dialogues_turns_and_texts_ask_about_emotions(folder):
    model = load(folder(target="meld"))
    whole = model.answers([DIALOGUE])
    assert [each.instance_id for each in whole] == ["d1_t0", "d1_t1"]
    turns = [
        {"dialogue_id": "d1", "speaker": turn["speakers"][0], "utterance": turn["utterance"]}
        for turn in DIALOGUE["dialogue"]
    ]
    assert model.answers(turns) == whole
    alone = model.answers([{"utterance": "I am glad."}, "I am glad."])
    assert [each.answer for each in alone] == [alone[0].answer] * 2
    assert model.columns is None


def test_turns_of_two_dialogues_do_not_see_each_other(folder):
    model = load(folder(target="meld"))
    turns = [{"dialogue_id": name, "utterance": f"{name} is glad."} for name in ("a", "a", "b", "a")]
    assert [each.instance_id for each in model.answers(turns)] == ["a_t0", "a_t1", "b_t0", "a_t0"]
    assert model.answers(turns)[2].probabilities == pytest.approx(model.answers(turns[2:3])[0].probabilities, abs=1e-4)


def test_another_task_is_asked_for_by_name(folder):
    assert load(folder(), task="MELD_emotion_recognition").task == "MELD_emotion_recognition"
    assert load(folder(), task="sst").columns == ("sentence",)  # dfwe's own, though the folder has it not
    with pytest.raises(ConfigurationError, match="unknown task 'mud'.*; the folder has mood, meld"):
        load(folder(), task="mud")


def test_free_text_has_no_probabilities(folder):
    model = load(folder(), task="question_answering")
    question = {"question": "Who?", "instance_id": "q1", "answers": []}
    dialogue = DIALOGUE | {"question_answering": [{"qas": [question]}]}
    answers = model.answers([dialogue])
    assert [(each.instance_id, each.probabilities) for each in answers] == [("q1", None)]
    with pytest.raises(ConfigurationError, match="free text, which has no probabilities"):
        model.probabilities([dialogue])


def test_the_references_way_of_answering_takes_its_numbers(folder):
    numbers = {"do_sample": False, "num_beams": 1, "repetition_penalty": 1.0, "max_length": 5, "seed": 0}
    model = load(folder(decode="reference", reference=numbers))
    assert model.answers(["A cup."])[0].probabilities is None
    with pytest.raises(ModelError, match="lacks the numbers of decode=reference"):
        load(folder(decode="reference"))


@pytest.mark.parametrize(
    ("task", "inputs", "message"),
    [
        ("mood", ["A cup.", {"note": "A lid."}], "input 2 has no column 'text', which moods needs: it has 'note'"),
        ("mood", ["A cup.", " "], "input 2: column 'text' is empty"),
        ("mood", ["A cup.", {"text": ["a", "b"]}], "input 2: column 'text' is a list"),
        ("mood", "A cup.", "give a list of texts"),
        ("mood", {"text": "A cup."}, "give a list of texts"),
        ("snli", ["A cup."], "input 1 is a text, but the task reads the columns"),
        ("meld", [{"text": "A cup."}], "input 1 needs 'utterance' .*: it has 'text'"),
        ("meld", [{"utterance": 3}], "turn 0 of dialogue '1' needs 'utterance', a text"),
        ("meld", [{"utterance": "x", "speaker": 3}], "needs 'speakers', a list of names"),
        ("meld", [{"dialogue_id": "d", "dialogue": [{"utterance": "x"}]}], "turn 0 of dialogue 'd' needs 'speakers'"),
        ("question_answering", ["A cup."], "input 1 asks nothing of question_answering"),
    ],
)
def test_an_input_that_cannot_be_asked_about_is_named(folder, task, inputs, message):
    with pytest.raises(DataError, match=f"(?s){message}"):
        load(folder(), task=task).predict(inputs)
