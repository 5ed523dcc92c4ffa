from dataclasses import replace

import pytest

from dfwe.data.prompts.dialogues import ReadingComprehension
from dfwe.errors import DataError

TASK = "reading_comprehension"
PROMPT = ReadingComprehension(task=TASK)


def ask(dialogue, *, prompt=PROMPT, max_words=0):
    return list(prompt.instances(dialogue, max_words=max_words, seed=0))


def test_query_lists_the_entities_of_the_scene(dialogue):
    first, second = ask(dialogue)
    assert first.source == (
        "context: Ada Pike: The kettle is cold. ( A bell rings. ) Ada Pike Ben Lowe: Who is it? "
        "Ben Lowe: My aunt, she brought you a cake. question: [PLACEHOLDER] rings the bell. "
        "Out of ada or ben or the aunt, [PLACEHOLDER] is "
    )
    assert (first.instance_id, first.targets, first.references) == ("d1_qa0", ("the aunt",), ("the aunt",))
    assert second.candidates == ("ada", "ben", "the aunt")


def test_the_context_is_cut_and_the_query_stays(dialogue):
    assert ask(dialogue, max_words=3)[1].source == (
        "context:  question: [PLACEHOLDER] finds the kettle cold. Out of ada or ben or the aunt, [PLACEHOLDER] is "
    )


def test_an_answer_that_no_entity_holds_is_an_error(dialogue):
    dialogue[TASK][0]["answer"] = "cat"
    message = "dialogue 'd1', instance 'd1_qa0': unknown label 'cat', expected one of ada, ben, the aunt"
    with pytest.raises(DataError, match=message):
        ask(dialogue)


def test_part_of_an_entity_is_an_answer_as_in_the_reference(dialogue):
    dialogue[TASK][0]["answer"] = "aunt"
    assert ask(dialogue)[0].targets == ("aunt",)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({TASK: None}, f"dialogue_metadata.{TASK}: 'scene_entities' is missing"),
        ({TASK: {"scene_entities": []}}, "scene_entities names nobody"),
    ],
)
def test_a_scene_without_entities_is_an_error(dialogue, metadata, message):
    dialogue["dialogue_metadata"] = metadata
    with pytest.raises(DataError, match=message):
        ask(dialogue)


def test_annotations_that_the_metadata_promise_must_be_there(dialogue):
    del dialogue[TASK]
    with pytest.raises(DataError, match=f"dialogue 'd1': '{TASK}' is missing"):
        ask(dialogue)
    assert ask(dialogue, prompt=replace(PROMPT, unlabelled=True)) == []


def test_without_an_answer_the_query_is_still_asked(dialogue):
    dialogue[TASK] = [{"query": "[PLACEHOLDER] sleeps."}]
    (instance,) = ask(dialogue, prompt=replace(PROMPT, unlabelled=True))
    assert (instance.instance_id, instance.targets) == ("d1_qa0", ())
    assert instance.candidates == ("ada", "ben", "the aunt")
