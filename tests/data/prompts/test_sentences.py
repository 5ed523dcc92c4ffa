"""Sentences of columns, on rows written by hand."""

import dataclasses

import pytest

from dfwe.data.prompts.answers import ClassLabel, Number
from dfwe.data.prompts.template import Sentences, row_dialogue
from dfwe.data.readers.base import RowError
from dfwe.errors import ConfigurationError, DataError

SAME = ClassLabel(column="same", labels=("no", "yes"), texts={"0": "no", "1": "yes"})
PAIRS = Sentences(task="pairs", columns=("first", "second"), answer=SAME)
CELLS = {"first": "Is the  kettle\thot?", "second": "Has the kettle boiled?", "same": "1"}


def ask(cells, prompt=PAIRS, max_words=0):
    dialogue = row_dialogue(cells, row_id="r1", path="x.csv", line=7)
    return list(prompt.instances(dialogue, max_words=max_words, seed=0))


def test_sentences_are_the_columns_in_order():
    (instance,) = ask(CELLS)
    assert instance.sentences == ("Is the kettle hot?", "Has the kettle boiled?")
    assert (instance.context, instance.prompt, instance.source) == ("", "", "")
    assert (instance.targets, instance.references, instance.candidates) == (("yes",), ("yes",), ("no", "yes"))
    assert (instance.instance_id, instance.dialogue_id) == ("r1", "r1")


def test_a_limit_of_words_cuts_no_sentence():
    assert ask(CELLS, max_words=2) == ask(CELLS)


def test_a_number_is_compared_with_as_it_stands_in_the_file():
    answer = Number(column="how", low=0.0, high=5.0, step=0.2, decimals=1)
    (instance,) = ask({"text": "Tea.", "how": "3.333"}, Sentences(task="t", columns=["text"], answer=answer))
    assert (instance.sentences, instance.references) == (("Tea.",), ("3.333",))


@pytest.mark.parametrize("cells", [{"first": "Tea?", "second": "Cake?"}, CELLS | {"same": ""}])
def test_unlabelled_rows_need_no_answer(cells):
    (instance,) = ask(cells, dataclasses.replace(PAIRS, unlabelled=True))
    assert (instance.targets, instance.references) == ((), ())
    assert len(instance.sentences) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [({"second": " "}, "column 'second' is empty"), ({"same": "2"}, "unknown label '2' in column 'same'")],
)
def test_a_row_that_cannot_be_used_is_refused(change, message):
    with pytest.raises(RowError, match=message):
        ask(CELLS | change)


def test_a_missing_column_is_an_error_of_the_file():
    with pytest.raises(DataError, match=r"x\.csv has no column 'second', which pairs needs") as info:
        ask({"first": "Tea?", "same": "1"})
    assert not isinstance(info.value, RowError)


def test_a_head_that_reads_the_answer_is_an_error():
    with pytest.raises(ConfigurationError, match="the head of pairs gives the answer away: it shows column 'same'"):
        Sentences(task="pairs", columns=("first", "same"), answer=SAME)


@pytest.mark.parametrize("columns", [(), ("a", "b", "c"), "first"])
def test_other_than_one_or_two_columns_is_an_error(columns):
    with pytest.raises(ConfigurationError, match="pairs needs a list of one or two columns"):
        Sentences(task="pairs", columns=columns, answer=SAME)
