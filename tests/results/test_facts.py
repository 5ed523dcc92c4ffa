"""What a study is about, as results have it."""

from dataclasses import replace

import pytest

from dfwe.config.tasks import load_task
from dfwe.data.prompts.template import Template
from dfwe.families.classifier.tasks import classification_task
from dfwe.results.facts import questions

ROWS = {
    "toy_sentiment": {"form": "rows", "columns": ["sentence"]},
    "toy_paraphrase": {"form": "rows", "columns": ["sentence1", "sentence2"]},
}


@pytest.mark.parametrize("as_read", [lambda task: task, classification_task], ids=["text to text", "classifier"])
@pytest.mark.parametrize(("name", "asked"), [*ROWS.items(), ("meld", {"form": "texts"})])
def test_questions_are_those_of_the_task_for_any_model(name, asked, as_read):
    assert questions(as_read(load_task(name))) == asked


def test_questions_of_three_columns_are_rows_for_a_classifier():
    task = load_task("toy_sentiment")
    prompt = task.prompt
    assert isinstance(prompt, Template)
    task = replace(task, prompt=replace(prompt, context="{a} {b} {c}", prompt=" answer:"))
    assert questions(classification_task(task)) == {"form": "rows", "columns": ["a", "b", "c"]}


def test_questions_about_dialogues_are_dialogues():
    assert questions(load_task("personality")) == {"form": "dialogues"}
