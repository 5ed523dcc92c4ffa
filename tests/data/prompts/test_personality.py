from dataclasses import replace

import pytest

from dfwe.data.prompts.dialogues import Personality
from dfwe.errors import DataError

PROMPT = Personality(task="personality_detection", labels=("0", "1"), traits=("aggreeable", "open", "neurotic"))


def ask(dialogue, *, prompt=PROMPT, max_words=0):
    return list(prompt.instances(dialogue, max_words=max_words, seed=0))


def sample_of(dialogue):
    return dialogue["personality_detection"][0]


def test_a_sample_gives_an_instance_for_each_of_its_traits(dialogue):
    context = "context: Ada Pike: The kettle is cold. Ada Pike Ben Lowe: Who is it?"
    first, second = ask(dialogue)
    assert first.source == f"{context} Ada Pike is aggreeable:"
    assert second.source == f"{context} Ada Pike is open:"
    assert (first.instance_id, second.instance_id) == ("d1_Ada-Pike_aggreeable", "d1_Ada-Pike_open")
    assert (first.targets, second.references) == (("0",), ("1",))
    assert first.candidates == ("0", "1")


def test_the_turns_of_a_sample_are_cut(dialogue):
    assert ask(dialogue, max_words=12)[0].source == "context: Ada Pike Ben Lowe: Who is it? Ada Pike is aggreeable:"


def test_an_unknown_value_is_an_error(dialogue):
    sample_of(dialogue)["personality_characteristics"]["open"] = "2"
    with pytest.raises(
        DataError, match="dialogue 'd1', instance 'd1_Ada-Pike': unknown label '2', expected one of 0, 1"
    ):
        ask(dialogue)


def test_missing_traits_raise_unless_unlabelled(dialogue):
    del sample_of(dialogue)["personality_characteristics"], sample_of(dialogue)["instance_id"]
    with pytest.raises(DataError, match="'personality_characteristics' is missing"):
        ask(dialogue)
    instances = ask(dialogue, prompt=replace(PROMPT, unlabelled=True))
    assert [one.instance_id for one in instances] == [f"d1_Ada-Pike_{trait}" for trait in PROMPT.traits]
    assert {one.targets for one in instances} == {()}
