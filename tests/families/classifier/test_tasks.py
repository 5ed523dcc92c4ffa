"""Tasks that a classifier answers, and those that it refuses."""

import pytest

from dfwe.config.tasks import load_task
from dfwe.data.prompts.template import Sentences
from dfwe.errors import ConfigurationError
from dfwe.families.classifier.tasks import answers_of, classification_task

ROW = {"id": "r", "path": "p", "line": 1}


def instances_of(task, dialogue):
    return list(task.prompt.instances(dialogue, max_words=0, seed=0))


def row(**cells):
    return {"dialogue_id": "r", "rows": [{**ROW, "cells": cells}]}


@pytest.mark.parametrize("name", ["meld", "emory_emotion", "personality", "character_identification"])
def test_classification_dialogue_task_keeps_labels_as_answers(name):
    task = load_task(name)
    assert answers_of(classification_task(task)) == task.labels


def test_classification_rows_become_one_or_two_sentences():
    task = classification_task(load_task("quora"))
    assert isinstance(task.prompt.prompt, Sentences)
    (instance,) = instances_of(task, row(sentence1="Is it warm?", sentence2="Is it mild?", is_duplicate="1.0"))
    assert instance.sentences == ("Is it warm?", "Is it mild?")
    assert instance.candidates == task.labels


def test_classification_number_has_no_candidates():
    task = classification_task(load_task("sts"))
    (instance,) = instances_of(task, row(sentence1="a", sentence2="b", similarity="2.4"))
    assert answers_of(task) == ()
    assert (instance.candidates, instance.references) == ((), ("2.4",))


def test_classification_relations_answer_by_name():
    task = load_task("relation_extraction")
    answers = answers_of(classification_task(task))
    assert (task.labels[9], answers[9]) == ("per:girl/boyfriend", "girlfriend or boyfriend")


def test_classification_twice_is_once():
    task = classification_task(load_task("meld"))
    assert classification_task(task) is task


@pytest.mark.parametrize(
    ("name", "kind"),
    [("question_answering", "free text"), ("reading_comprehension", "candidates that differ per question")],
)
def test_classification_open_answers_name_another_family(name, kind):
    with pytest.raises(ConfigurationError, match=f"'{name}', whose answers are {kind}: choose .* family seq2seq"):
        classification_task(load_task(name))
