"""Templates of columns, on rows written by hand."""

import dataclasses

import pytest

from dfwe.data.prompts.answers import ClassLabel, FreeText
from dfwe.data.prompts.template import Template, row_dialogue
from dfwe.data.readers.base import RowError
from dfwe.errors import ConfigurationError, DataError

ANSWER = ClassLabel(column="mood", labels=("good", "bad"), texts={"+": "good", "-": "bad"})
TEMPLATE = Template(task="moods", context="text: {text}", prompt=" of {who}. mood:", answer=ANSWER)
CELLS = {"text": "A cup  of\ntea.", "who": "Ada", "mood": "+"}


def ask(cells, template=TEMPLATE, max_words=0):
    dialogue = row_dialogue(cells, row_id="r1", path="x.csv", line=7)
    return list(template.instances(dialogue, max_words=max_words, seed=0))


def test_cells_stand_where_the_template_names_their_columns():
    (instance,) = ask(CELLS)
    assert (instance.context, instance.prompt) == ("text: A cup of tea.", " of Ada. mood:")
    assert (instance.targets, instance.references) == (("good",), ("good",))
    assert instance.candidates == ("good", "bad")
    assert (instance.instance_id, instance.dialogue_id) == ("r1", "r1")


def test_template_long_context_loses_first_words():
    (instance,) = ask(CELLS, max_words=2)
    assert instance.source == "of tea. of Ada. mood:"


def test_the_rows_of_a_group_share_its_name():
    rows = [{"id": f"r{n}", "path": "x.csv", "line": n, "cells": CELLS} for n in (1, 2)]
    instances = list(TEMPLATE.instances({"dialogue_id": "g", "rows": rows}, max_words=0, seed=0))
    assert [(one.instance_id, one.dialogue_id) for one in instances] == [("r1", "g"), ("r2", "g")]


def test_template_doubled_braces_are_braces():
    template = Template(task="t", context="{{{Sr No.}}}", prompt="?", answer=ANSWER)
    assert ask({"Sr No.": "4", "mood": "-"}, template)[0].source == "{4}?"


@pytest.mark.parametrize("cells", [{"text": "Tea.", "who": "Ada"}, {"text": "Tea.", "who": "Ada", "mood": ""}])
def test_unlabelled_rows_need_no_answer(cells):
    (instance,) = ask(cells, dataclasses.replace(TEMPLATE, unlabelled=True))
    assert (instance.targets, instance.references) == ((), ())


def test_unlabelled_rows_may_have_some_of_several_answers():
    answer = FreeText(texts=("mood", "second mood"), separator=None)
    (instance,) = ask(CELLS, dataclasses.replace(TEMPLATE, answer=answer, unlabelled=True))
    assert instance.targets == ()


def test_unlabelled_rows_may_have_one():
    assert ask(CELLS, dataclasses.replace(TEMPLATE, unlabelled=True))[0].targets == ("good",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"text": " "}, "column 'text' is empty"),
        ({"mood": ""}, "column 'mood' is empty"),
        ({"mood": "fine"}, r"unknown label 'fine' in column 'mood', expected one of \+, -, good, bad"),
        ({"text": ("a", "b")}, "column 'text' is a list"),
    ],
)
def test_a_row_that_cannot_be_used_is_refused(change, message):
    with pytest.raises(RowError, match=message):
        ask(CELLS | change)


def test_a_missing_column_is_an_error_of_the_file():
    cells = {name: text for name, text in CELLS.items() if name != "who"}
    with pytest.raises(
        DataError, match=r"x\.csv has no column 'who', which moods needs: it has 'text', 'mood'"
    ) as info:
        ask(cells)
    assert not isinstance(info.value, RowError)


def test_a_template_that_shows_the_answer_is_an_error():
    with pytest.raises(ConfigurationError, match="gives the answer away: it shows column 'mood'"):
        Template(task="moods", context="{text} {mood}", prompt="?", answer=ANSWER)


@pytest.mark.parametrize("text", ["{text", "text}", "{}", "{text:>3}", "{text!r}"])
def test_braces_that_make_no_sense_are_an_error(text):
    with pytest.raises(ConfigurationError, match="the template"):
        Template(task="moods", context=text, prompt="?", answer=ANSWER)
