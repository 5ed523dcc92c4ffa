from dataclasses import replace

import pytest

from dfwe.data.prompts.dialogues import QuestionAnswering
from dfwe.errors import DataError

PROMPT = QuestionAnswering(task="question_answering")


def ask(dialogue, *, prompt=PROMPT, max_words=0):
    return list(prompt.instances(dialogue, max_words=max_words, seed=0))


def question_of(dialogue):
    return dialogue["question_answering"][0]["qas"][0]


def test_all_answers_are_targets_and_references_in_their_order(dialogue):
    (instance,) = ask(dialogue)
    assert instance.source == (
        "context: Ada Pike: The kettle is cold. ( A bell rings. ) Ada Pike Ben Lowe: Who is it? "
        "Ben Lowe: My aunt, she brought you a cake. question: What is there? answer:"
    )
    assert instance.targets == instance.references == ("a cake", "cake", "The kettle")
    assert (instance.instance_id, instance.candidates) == ("d1_What", ())


def test_long_dialogue_is_cut_around_the_last_answer(dialogue):
    tail = " question: What is there? answer:"
    assert ask(dialogue, max_words=11)[0].source == f"context: Ada Pike: The kettle is cold. ( A bell rings. ){tail}"
    question_of(dialogue)["answers"].reverse()
    assert ask(dialogue, max_words=11)[0].source == f"context: Ben Lowe: My aunt, she brought you a cake.{tail}"


def test_missing_answers_raise_unless_unlabelled(dialogue):
    question_of(dialogue)["answers"] = []
    with pytest.raises(DataError, match="dialogue 'd1', instance 'd1_What': 'answers' is empty"):
        ask(dialogue)
    (instance,) = ask(dialogue, prompt=replace(PROMPT, unlabelled=True), max_words=9)
    assert instance.targets == instance.references == ()
    assert instance.context == "context: Ben Lowe: My aunt, she brought you a cake."


@pytest.mark.parametrize("key", ["question", "answers"])
def test_a_question_without_its_parts_is_an_error(dialogue, key):
    del question_of(dialogue)[key]
    with pytest.raises(DataError, match=f"instance 'd1_What': '{key}' is missing"):
        ask(dialogue)


def test_groups_that_are_not_lists_are_an_error(dialogue):
    dialogue["question_answering"] = [{"qas": ["What?"]}]
    with pytest.raises(DataError, match="dialogue 'd1': 'qas' must be a list of objects"):
        ask(dialogue)
