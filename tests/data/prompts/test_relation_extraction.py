from dataclasses import replace

import pytest

from dfwe.data.prompts.dialogues import RelationExtraction
from dfwe.errors import DataError

NAMES = {"per:age": "age", "per:other_family": "other family"}
PROMPT = RelationExtraction(task="relation_extraction", names=NAMES)


def ask(dialogue, *, prompt=PROMPT, max_words=0):
    return list(prompt.instances(dialogue, max_words=max_words, seed=0))


def pair_of(dialogue):
    return dialogue["relation_extraction"][0]["relation_triples"][0]


def test_a_pair_is_asked_about_in_the_turns_of_its_sample(dialogue):
    (instance,) = ask(dialogue)
    assert instance.source == (
        "context: ( A bell rings. ) Ben Lowe: My aunt, she brought you a cake. "
        "Ben Lowe has the following relations with aunt:"
    )
    assert instance.targets == ("other family and age",)
    assert instance.references == ("per:other_family", "per:age")
    assert (instance.instance_id, instance.candidates) == ("d1_p", ())


def test_the_turns_of_a_sample_are_cut(dialogue):
    assert ask(dialogue, max_words=1)[0].source == "context:  Ben Lowe has the following relations with aunt:"


def test_an_unknown_code_is_an_error(dialogue):
    pair_of(dialogue)["relations"] = ["per:age", "per:twin"]
    message = "instance 'd1_p': unknown label 'per:twin', expected one of per:age, per:other_family"
    with pytest.raises(DataError, match=message):
        ask(dialogue)


def test_missing_relations_raise_unless_unlabelled(dialogue):
    pair_of(dialogue)["relations"] = []
    with pytest.raises(DataError, match="instance 'd1_p': 'relations' is empty"):
        ask(dialogue)
    del pair_of(dialogue)["relations"], pair_of(dialogue)["instance_id"]
    (instance,) = ask(dialogue, prompt=replace(PROMPT, unlabelled=True))
    assert (instance.instance_id, instance.targets, instance.references) == ("d1_Ben-Lowe_aunt", (), ())
